export * from './appliance.ts';
export * from './audit.ts';
export * from './forward-auth.ts';
export * from './mcp.ts';
export * from './sessions.ts';
export * from './sign-in.ts';
export * from './upstream.ts';
export * from './users.ts';
