/**
 * Names of services that a device offers. They stand in host names before `--`, so that none holds that, and `xn` would
 * make the label look like an encoded one (RFC 5891 section 4.2.3.1). At most 30: with `--` and a handle of 30 they are a
 * label, which has room for 63 characters (RFC 1035 section 2.3.4).
 */
export const SERVICE_NAME = /^(?=.{1,30}$)(?!xn$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

export const SERVICE_NAME_EXPECTED =
  'lower-case letters, digits and single hyphens between them, at most 30; not "xn"';
