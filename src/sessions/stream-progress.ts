/** What a stream says of itself: its newest id, and how many entries were ever added to it. */
export interface StreamState {
  readonly last: string;
  readonly added: number;
}

/** What of a stream stood there when reading began; `cursor` is what to read after. */
export interface StreamTail extends StreamState {
  readonly cursor: string;
}

/** `behind`: not read that far yet. `lost`: read that far, and not every entry that was added. */
export type Reached = 'behind' | 'complete' | 'lost';

/** A stream without entries, or none at all. */
export const EMPTY_STREAM: StreamTail = { last: '0-0', added: 0, cursor: '0-0' };

/** So much may arrive between two heartbeats; with more, what is read counts as lost. */
const MAX_MARKS = 100_000;

export type StreamProgress = ReturnType<typeof streamProgress>;

/**
 * How far one stream was read, counting: a stream that was trimmed, deleted, flushed or exchanged for an older copy under
 * its reader has had more entries, or fewer, than were read.
 */
export function streamProgress({ last, added, cursor: start }: StreamTail) {
  let cursor = start;
  let marks: StreamState[] = [{ last, added }];
  const newest = () => marks.at(-1) ?? { last, added };

  return {
    get cursor(): string {
      return cursor;
    },
    /** One more entry was read. */
    advance(id: string): void {
      cursor = id;
      if (marks.length >= MAX_MARKS) marks = [newest()];
      marks.push({ last: id, added: newest().added + 1 });
    },
    /** Whether everything is read that was in the stream when it said this. */
    reached(state: StreamState): Reached {
      if (compareIds(newest().last, state.last) < 0) return 'behind';
      return marks.findLast((mark) => mark.last === state.last)?.added === state.added ? 'complete' : 'lost';
    },
    /** Nobody asks for anything older than this again. */
    forgetBefore(state: StreamState): void {
      marks = marks.slice(marks.findLastIndex((mark) => compareIds(mark.last, state.last) <= 0));
    },
  };
}

/** Ids of entries, `<milliseconds>-<number>`, in their order (https://redis.io/docs/latest/develop/data-types/streams/). */
export function compareIds(one: string, other: string): number {
  const [time = '', number = ''] = one.split('-');
  const [otherTime = '', otherNumber = ''] = other.split('-');
  return compareDigits(time, otherTime) || compareDigits(number, otherNumber);
}

/** Without leading zeros, the longer is the larger: they do not all fit a number. */
function compareDigits(one: string, other: string): number {
  if (one.length !== other.length) return one.length - other.length;
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
