import { expect, test } from 'bun:test';
import { foreignAuthorization, ownBearerToken } from '../../../src/forward-auth/authorization.ts';

const ours = `pstp_${'a'.repeat(66)}`;
const basic = (text: string) => Buffer.from(text).toString('base64');

test.each<[string | undefined, string | undefined, string]>([
  [undefined, undefined, ''],
  ['', undefined, ''],
  [`Bearer ${ours}`, ours, ''],
  [`bearer   ${ours}`, ours, ''],
  ['Bearer glpat-something', undefined, 'Bearer glpat-something'],
  ['Basic YWRhOnNlY3JldA==', undefined, 'Basic YWRhOnNlY3JldA=='],
  ['Bearer xpstp_y', undefined, 'Bearer xpstp_y'],
  [`Basic x, Bearer ${ours}`, '', ''],
  [`Bearer ${ours}, Bearer ${ours}`, '', ''],
  [`Bearer "${ours}"`, '', ''],
  [`Token ${ours}`, '', ''],
  [`Basic ${basic(`ada:${ours}`)}`, '', ''],
  [`basic   ${basic(`${ours}:`)}`, '', ''],
  [`Basic ${basic(`ü:${ours}`).replaceAll('=', '')}`, '', ''],
  [`Basic ${Buffer.from(`ÿÿÿ:${ours}`, 'latin1').toString('base64url')}`, '', ''],
  [`Bearer x, Basic ${basic(`:${ours}`)}`, '', ''],
  [`Basic ${basic('ada:xpstp_y')}`, undefined, `Basic ${basic('ada:xpstp_y')}`],
  ['Basic !', undefined, 'Basic !'],
  [`Token token=${ours}`, '', ''],
])('%j', (header, token, passedOn) => {
  expect(ownBearerToken(header)).toBe(token);
  expect(foreignAuthorization(header)).toBe(passedOn);
});
