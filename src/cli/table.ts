/** Lines of a table: columns as wide as their longest cell, two spaces apart, nothing after the last one. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string[] {
  const clean = rows.map((row) => row.map(printable));
  const widths = clean.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, width(cell))),
    [],
  );
  return clean.map((row) =>
    `${indent}${row.map((cell, index) => pad(cell, widths[index] ?? 0)).join('  ')}`.trimEnd(),
  );
}

/**
 * Text that may have come from anywhere, made safe for a terminal: control characters, with which a name or a user
 * agent could rewrite what is on the screen, become visible.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}

const width = (cell: string) => Bun.stringWidth(cell);
const pad = (cell: string, to: number) => cell + ' '.repeat(Math.max(0, to - width(cell)));
