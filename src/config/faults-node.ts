import type { Fault } from './faults.ts';

/** Names of hosts fit, and so does what stands in a header, a log and a file. */
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const nodeNameFault: Fault = (text) =>
  NODE_NAME.test(text)
    ? undefined
    : 'a name of at most 63 letters, digits, dots, hyphens and underscores, that begins with a letter or digit';
