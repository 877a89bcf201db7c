import { describe, expect, test } from 'bun:test';
import { readJoinTarget } from '../../../src/agent/join-target.ts';

describe('what a device may join with', () => {
  test.each([
    ['https://auth.example.com/pair#token-1', undefined, 'https://auth.example.com', 'token-1'],
    ['http://localhost:7400/pair#t', undefined, 'http://localhost:7400', 't'],
    ['https://auth.example.com', undefined, 'https://auth.example.com', undefined],
    ['https://auth.example.com/', 'https://auth.example.com', 'https://auth.example.com', undefined],
    ['abcd efgh', 'https://auth.example.com:8443/', 'https://auth.example.com:8443', 'ABCDEFGH'],
    ['ABCD-EFGH', 'https://auth.example.com', 'https://auth.example.com', 'ABCDEFGH'],
  ])('%s (%s)', (text, server, origin, credential) => {
    expect(readJoinTarget(text, server)).toEqual({ target: { server: origin, credential } });
  });

  test.each([
    ['ABCD-EFGH', undefined, 'add --server'],
    ['ABCD-EFG', 'https://a.example', 'neither the link of a pairing nor a code'],
    ['ABCD-EFG0', 'https://a.example', 'neither the link of a pairing nor a code'],
    ['', 'https://a.example', 'neither the link of a pairing nor a code'],
    ['https://a.example/pair', undefined, 'what stands after #'],
    ['https://a.example/other#token', undefined, 'what stands after #'],
    ['http://a.example/pair#token', undefined, 'reached by https'],
    ['ftp://a.example/pair#token', undefined, 'begins with https://'],
    ['https://me:secret@a.example/pair#token', undefined, 'with a user in it'],
    ['https://a.example/pair#token', 'https://b.example', 'different servers'],
    ['ABCD-EFGH', 'http://a.example', 'reached by https'],
    ['ABCD-EFGH', 'a.example', 'no address'],
  ])('%p (%p) is refused', (text, server, complaint) => {
    expect(readJoinTarget(text, server)).toEqual({ fault: expect.stringContaining(complaint) });
  });
});
