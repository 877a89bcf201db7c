/** What a listener needs to serve TLS; PEM texts. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** Where the certificate comes from, and when there is a new one. */
export interface TlsSource extends AsyncDisposable {
  readonly current: TlsMaterial;
  /** SHA-256 of the certificate, for people to compare: `AB:CD:…`. */
  readonly fingerprint: string;
  /** Called with every later certificate that is good for use. */
  onChange(apply: (material: TlsMaterial) => void): void;
}
