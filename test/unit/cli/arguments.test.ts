import { describe, expect, test } from 'bun:test';
import { parseArguments } from '../../../src/cli/arguments.ts';

const spec = {
  command: 'demo',
  flags: [
    { name: 'data-dir', value: 'DIR', about: '' },
    { name: 'json', about: '' },
    { name: 'label', value: 'K=V', repeats: true, about: '' },
  ],
  operands: [{ name: 'USER' }, { name: 'ROLE', optional: true }],
};
const parse = (...words: string[]) => parseArguments(words, spec);

describe('what is understood', () => {
  test('flags before, between and after operands, with a space or an equals sign', () => {
    const args = parse('--data-dir=/tmp/a=b', 'ada', '--json', 'owner');
    expect(args.value('data-dir')).toBe('/tmp/a=b');
    expect(args.has('json')).toBe(true);
    expect([args.operand('USER'), args.optionalOperand('ROLE')]).toEqual(['ada', 'owner']);
    expect(parse('ada', '--data-dir', 'x').value('data-dir')).toBe('x');
  });

  test('everything after -- is an operand', () => {
    expect(parse('--', '--json').operand('USER')).toBe('--json');
  });

  test('a flag that repeats keeps every value, in their order', () => {
    const args = parse('ada', '--label', 'a=1', '--label=b=2');
    expect(args.values('label')).toEqual(['a=1', 'b=2']);
    expect(args.value('label')).toBe('b=2');
    expect([parse('ada').values('label'), parse('ada').values('json')]).toEqual([[], []]);
  });

  test('a flag may be given an empty value, and one that begins with a dash', () => {
    expect(parse('ada', '--data-dir=').value('data-dir')).toBe('');
    expect(parse('ada', '--data-dir', '-x').value('data-dir')).toBe('-x');
  });
});

describe('what is refused, with exit 2', () => {
  test.each([
    [['ada', '--jsno'], 'there is no flag --jsno; did you mean --json?'],
    [['ada', '-json'], 'there is no flag -json; did you mean --json?'],
    [['ada', '--zzzzzz=secret'], 'there is no flag --zzzzzz'],
    [['ada', '--json=yes'], '--json takes no value'],
    [['ada', '--json', '--json'], '--json is given twice'],
    [['ada', '--data-dir'], '--data-dir needs a value: DIR'],
    [[], 'USER is missing'],
    [['ada', 'owner', 'more'], 'there is nothing for "more" to mean'],
  ])('%p', (words, complaint) => {
    expect(() => parse(...words)).toThrow(
      expect.objectContaining({ exitCode: 2, message: `${complaint}\nSee: postern help demo` }),
    );
  });
});
