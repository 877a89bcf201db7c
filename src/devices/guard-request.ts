import { AppError } from '../lib/app-error.ts';

/** Methods that lead nowhere: tunnels through us, and headers read back to a script (RFC 9110 section 9.3.6 and 9.3.8). */
const REFUSED_METHODS: readonly string[] = ['CONNECT', 'TRACE'];

/** @throws AppError `method_not_allowed` for a method that is carried to no device. */
export function requireCarriedMethod({ method }: Request): void {
  if (!REFUSED_METHODS.includes(method)) return;
  throw new AppError('method_not_allowed', 'method_not_allowed', 'This path does not take that method.');
}

/** Path and query; Bun keeps a fragment that a client sends all the same. */
export function targetOf({ url }: Request): string {
  const [target = '/'] = url.slice(url.indexOf('/', url.indexOf('://') + 3)).split('#');
  return target;
}
