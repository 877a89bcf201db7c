/** A provider's short name: also what stands for it in redirect URIs, and in the names of variables and flags. */
export const PROVIDER_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
