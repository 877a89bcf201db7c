import type { RoleGuard } from '../db/role-guard.ts';
import { type Html, html } from '../http/html.ts';

/** The node that has a role; empty while it has just begun and nobody can read its name. */
export const nodeWord = (name: string): Html =>
  name === '' ? html`another node` : html`the node <strong class="any">${name}</strong>`;

/** In the place of what only the node could tell that has a role. */
export function toldElsewhere({ holder }: Pick<RoleGuard, 'holder'>): Html {
  const name = holder();
  return name === undefined ? html`no node can tell now` : html`only ${nodeWord(name)} can tell`;
}
