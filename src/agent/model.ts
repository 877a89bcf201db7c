/** A service as the device offers it, by its name. */
export type ServiceTarget = HttpTarget | TcpTarget;

/** Where a service listens: a name or an address, IPv6 without brackets. */
interface Address {
  readonly hostname: string;
  readonly port: number;
}

export interface HttpTarget extends Address {
  readonly kind: 'http';
  /** As it was written, for people. */
  readonly origin: string;
  /** What `Host` says to it; absent: what the visitor asked for. */
  readonly host: string | undefined;
  /** Absent: plain http. */
  readonly tls: TargetTls | undefined;
}

export interface TargetTls {
  /** The name that the certificate is held against. */
  readonly serverName: string;
  /** The certificates that are believed besides the system's, PEM. */
  readonly ca: string | undefined;
  readonly verify: boolean;
}

export interface TcpTarget extends Address {
  readonly kind: 'tcp';
  readonly origin: string;
}

export type Services = ReadonlyMap<string, ServiceTarget>;

/** What a device keeps of its pairing. */
export interface Pairing {
  /** Origin of the appliance. */
  readonly server: string;
  readonly deviceId: string;
  readonly handle: string;
  readonly name: string;
  readonly sessionId: string;
  readonly sessionToken: string;
  /** Where the tunnel is dialled, `wss:` or, on loopback, `ws:`. */
  readonly tunnelUrl: string;
  /** Epoch milliseconds. */
  readonly pairedAt: number;
  /** Set once the appliance has said that the pairing is over. */
  readonly ended: { readonly at: number; readonly code: string } | undefined;
}
