/** A secret of ours as `newSecret` makes it. */
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** The secret in what was typed: the secret itself, or the whole link with it behind the `#`. `undefined` for anything else. */
export function readSecret(text: string | undefined): string | undefined {
  const typed = (text ?? '').trim();
  const secret = typed.slice(typed.lastIndexOf('#') + 1);
  return SECRET.test(secret) ? secret : undefined;
}

/** All that is stored of a secret: SHA-256, base64url. It has 256 bits, so that nothing slower is needed. */
export function hashSecret(secret: string): string {
  return Bun.SHA256.hash(secret, 'base64url');
}
