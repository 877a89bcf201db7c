import { homedir } from 'node:os';

/** What children are told of the machine; all else of our environment is ours. */
const PASSED_ON = [
  'PATH',
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
] as const;
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What every child's environment begins with. */
export function childEnvironment(env: Readonly<Record<string, string | undefined>> = process.env) {
  const found = PASSED_ON.flatMap((name): [string, string][] => {
    const value = env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { PATH: USUAL_PATH, ...Object.fromEntries(found) };
}

/** The home of the account that runs the appliance. */
export const homeDirectory = (): string => homedir();
