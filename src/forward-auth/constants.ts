/** Sign-in to a protected host begins here, on that host; the path asked for follows the `?` as it stands. */
export const START_PATH = '/.postern/start';

/** And ends here, with a ticket. */
export const FINISH_PATH = '/.postern/finish';

/** Where the appliance's own origin hands out tickets to who is signed in. */
export const TICKET_PATH = '/host-ticket';

/** Checks for Caddy and Traefik (`X-Forwarded-*`), and for nginx (`X-Original-*`). */
export const CHECK_PATH = '/forward-auth';
export const NGINX_CHECK_PATH = '/forward-auth/nginx';

/** Longest path and query that sign-in brings somebody back to, in characters; beyond it they land on `/`. */
export const MAX_RETURN_LENGTH = 2048;

/** Sign-ins to protected hosts that one browser may have under way; the oldest goes first. */
export const MAX_FLOWS = 6;

/** Sign-ins to one host that may end within `ROUNDS_WINDOW_SECONDS` before the next is taken for a loop. */
export const MAX_ROUNDS = 3;
export const ROUNDS_WINDOW_SECONDS = 30;
