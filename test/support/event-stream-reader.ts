export interface ReceivedEvent {
  event: string;
  data: Record<string, unknown>;
}

/** Longest wait for something that should come at once, in milliseconds. */
const GIVE_UP_MS = 5_000;

/** Reads server-sent events as they come. */
export function eventStreamReader(response: Response) {
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  const decoder = new TextDecoder();
  let text = '';

  /** `false` at the end of the stream. */
  const readMore = async (): Promise<boolean> => {
    const timer = setTimeout(() => void reader.cancel(new Error('nothing came')), GIVE_UP_MS);
    const { done, value } = await reader.read();
    clearTimeout(timer);
    text += decoder.decode(value, { stream: !done });
    return !done;
  };

  return {
    /** The next block of the stream, comments included; `undefined` at its end. */
    async block(): Promise<string | undefined> {
      while (!text.includes('\n\n')) if (!(await readMore())) return undefined;
      const end = text.indexOf('\n\n');
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      return block;
    },
    /** The next event, comments left out; `undefined` at the stream's end. */
    async event(): Promise<ReceivedEvent | undefined> {
      for (;;) {
        const block = await this.block();
        if (block === undefined) return undefined;
        if (!block.startsWith(':')) return parse(block);
      }
    },
    /** Everything until the end. */
    async rest(): Promise<ReceivedEvent[]> {
      const events: ReceivedEvent[] = [];
      for (let next = await this.event(); next !== undefined; next = await this.event()) events.push(next);
      return events;
    },
    cancel: () => reader.cancel(),
  };
}

function parse(block: string): ReceivedEvent {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)));
  return { event: fields['event'], data: JSON.parse(fields['data'] ?? '{}') };
}
