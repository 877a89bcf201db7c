/** A value of configuration as TOML on one line; tables are written inline. The escapes of JSON are TOML's too. */
export function tomlValue(value: unknown): string {
  if (typeof value === 'number') return tomlNumber(value);
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([name, each]) => `${name} = ${tomlValue(each)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return JSON.stringify(value);
}

/** JSON has no words for these. */
function tomlNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return JSON.stringify(value);
  return value > 0 ? 'inf' : '-inf';
}
