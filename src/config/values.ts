import { z } from 'zod';
import type { Fault } from './faults.ts';
import { usualConfig } from './prepared.ts';

/** The values that configuration is made of. Every message says what is expected, in words for the operator. */

const CONTROL = /\p{Cc}/u;

/** A text of one line that is not empty. */
export const text = (expected: string) => checkedText(expected, () => undefined);

/** A text of one line that is not empty and without fault. One check does it all: each layer of a schema costs start-up time. */
export const checkedText = (expected: string, fault: Fault) =>
  z.string({ error: expected }).check(({ value, issues }) => {
    const found = lineFault(value, expected) ?? fault(value);
    if (found === undefined) return;
    const { expected: message, meant } =
      typeof found === 'string' ? { expected: found, meant: undefined } : found;
    issues.push({ code: 'custom', message, params: { meant }, input: value });
  });

function lineFault(value: string, expected: string): string | undefined {
  if (value === '') return expected;
  return CONTROL.test(value) ? `${expected}, on one line` : undefined;
}

/** A file or directory. A line break means that somebody gave the content instead. */
export const filePath = (expected: string) => text(expected).meta({ file: true });

export const list = <T extends z.ZodType>(element: T, expected: string) =>
  z.array(element, { error: expected });

/** Tables that repeat, each under its own `[[name]]`. What one may hold is made when there is one. */
export const tables = <T extends z.ZodType>(name: string, element: () => T) =>
  z.array(z.lazy(element), { error: `tables, each under its own [[${name}]]` }).default([]);

/** A table at the top, whose schema is made when it is given: a start is given few, and makes hundreds of keys of them. */
export function whenGiven<T extends z.ZodType>(name: string, table: () => T) {
  const schema = z.lazy(table);
  const usual = usualConfig?.[name];
  return usual === undefined
    ? schema.prefault({} as z.input<T>)
    : schema.default(usual as z.core.util.NoUndefined<z.output<T>>);
}

export const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: oneOf(values) });

export const yesNo = () => z.boolean({ error: 'true or false' });

/** Ten figures are more than any bound here can mean. */
const LARGEST = 1_000_000_000;

export const count = (defaultValue: number, largest = LARGEST) => {
  const message = `a whole number from 1 to ${largest}`;
  return z
    .number({ error: message })
    .check(({ value, issues }) => {
      const fits = Number.isInteger(value) && value >= 1 && value <= largest;
      if (!fits) issues.push({ code: 'custom', message, input: value });
    })
    .prefault(defaultValue);
};

function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => JSON.stringify(value));
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
