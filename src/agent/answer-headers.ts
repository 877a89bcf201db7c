import { type HeaderList, isHopByHop } from '../tunnel/header-list.ts';
import type { AnswerHead } from './http-answer-head.ts';

/** What of a service's answer goes on: nothing that is about the connection to it (RFC 9110 section 7.6.1). */
export function answerHeaders({ headers }: AnswerHead): HeaderList {
  const lower = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  const named = namedByConnection(lower);
  // A length beside a coding is not the length (RFC 9112 section 6.3).
  const isChunked = lower.some(([name]) => name === 'transfer-encoding');
  return lower.filter(
    ([name]) => !isHopByHop(name) && !named.includes(name) && !(isChunked && name === 'content-length'),
  );
}

function namedByConnection(headers: HeaderList): string[] {
  return headers
    .filter(([name]) => name === 'connection')
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((name) => name.trim()),
    );
}
