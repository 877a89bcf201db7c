import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** What a listener needs to serve TLS; PEM texts. */
export interface TlsMaterial {
  /** The certificate, and those that lead from it to a root. */
  readonly cert: string;
  readonly key: string;
}

/** Where the certificate comes from, and when there is a new one. Disposing of it ends its watch. */
export interface TlsSource extends AsyncDisposable {
  readonly current: TlsMaterial;
  /** SHA-256 of the current certificate, for people to compare: `AB:CD:…`. */
  readonly fingerprint: string;
  /** `apply` is called with every later certificate; it has been checked. One listener at most. */
  onChange(apply: (material: TlsMaterial) => void): void;
}

/**
 * The certificate of `material`, known to belong to its key.
 * @throws Error that says in words for the operator what is wrong, and repeats nothing of the material.
 */
export function checkMaterial({ cert, key }: TlsMaterial): X509Certificate {
  const certificate = parse(() => new X509Certificate(cert), 'the certificate is no PEM certificate');
  const privateKey = parse<KeyObject>(
    () => createPrivateKey(key),
    'the key is no PEM private key without passphrase',
  );
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error('the certificate and the key do not belong together');
  parse(
    () => createSecureContext({ cert, key }),
    'the certificate or the key is of a kind that TLS cannot use here',
  );
  return certificate;
}

function parse<T>(read: () => T, complaint: string): T {
  try {
    return read();
  } catch {
    // What the library says may quote the file.
    throw new Error(complaint);
  }
}
