/** Label values are few and known ahead: never an id, an address or anything a caller sent. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  inc(amount?: number): void;
}

export interface Histogram {
  /** `seconds`, as Prometheus wants them. */
  observe(seconds: number): void;
}

/** Counts in plain numbers and renders the Prometheus text format (version 0.0.4) only when asked. */
export interface Metrics {
  /** One time series of a counter; ask once and keep it where the path is hot. */
  counter(name: string, help: string, labels?: Labels): Counter;
  histogram(name: string, help: string, buckets: readonly number[], labels?: Labels): Histogram;
  /** A value read when scraped. */
  gauge(name: string, help: string, read: () => number, labels?: Labels): void;
  /** A count that is kept elsewhere, read when scraped. */
  derivedCounter(name: string, help: string, read: () => number, labels?: Labels): void;
  render(): string;
}

/** Bounds in seconds for things that take from ten microseconds to ten seconds. */
export const LATENCY_BUCKETS: readonly number[] = [
  0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
];

interface Family {
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  series: Map<string, Series>;
}

interface Series {
  handle: Counter | Histogram | undefined;
  lines(): string[];
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();

  const add = <T extends Counter | Histogram | undefined>(
    name: string,
    help: string,
    type: Family['type'],
    labels: Labels,
    make: (labelText: string) => { handle: T; lines(): string[] },
  ): T => {
    const family: Family = families.get(name) ?? { help, type, series: new Map() };
    families.set(name, family);
    if (family.type !== type) throw new Error(`metric ${name} is a ${family.type} already`);
    const labelText = formatLabels(labels);
    const known = family.series.get(labelText);
    if (known !== undefined) return known.handle as T;
    const series = make(labelText);
    family.series.set(labelText, series);
    return series.handle;
  };

  return {
    counter: (name, help, labels = {}) =>
      add(name, help, 'counter', labels, (text) => counterSeries(name, text)),
    histogram: (name, help, buckets, labels = {}) =>
      add(name, help, 'histogram', labels, () => histogramSeries(name, buckets, labels)),
    gauge: (name, help, read, labels = {}) =>
      add(name, help, 'gauge', labels, (text) => derivedSeries(name, text, read)),
    derivedCounter: (name, help, read, labels = {}) =>
      add(name, help, 'counter', labels, (text) => derivedSeries(name, text, read)),
    render() {
      const lines: string[] = [];
      for (const [name, { help, type, series }] of families) {
        lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
        for (const one of series.values()) lines.push(...one.lines());
      }
      return `${lines.join('\n')}\n`;
    },
  };
}

function counterSeries(name: string, labelText: string) {
  let value = 0;
  const handle: Counter = {
    inc: (amount = 1) => {
      value += amount;
    },
  };
  return { handle, lines: () => [`${name}${labelText} ${formatValue(value)}`] };
}

function derivedSeries(name: string, labelText: string, read: () => number) {
  const lines = () => {
    try {
      return [`${name}${labelText} ${formatValue(read())}`];
    } catch {
      // What cannot be read, during an outage for one, is absent; the rest is needed then most of all.
      return [];
    }
  };
  return { handle: undefined, lines };
}

function histogramSeries(name: string, buckets: readonly number[], labels: Labels) {
  const counts = new Float64Array(buckets.length + 1);
  let sum = 0;
  const handle: Histogram = {
    observe(seconds) {
      let index = 0;
      while (index < buckets.length && seconds > (buckets[index] ?? Infinity)) index++;
      counts[index] = (counts[index] ?? 0) + 1;
      sum += seconds;
    },
  };
  const lines = () => {
    let total = 0;
    const rows = [...counts].map((count, index) => {
      total += count;
      const bound = index < buckets.length ? String(buckets[index]) : '+Inf';
      return `${name}_bucket${formatLabels({ ...labels, le: bound })} ${total}`;
    });
    const text = formatLabels(labels);
    return [...rows, `${name}_sum${text} ${formatValue(sum)}`, `${name}_count${text} ${total}`];
  };
  return { handle, lines };
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** As Go reads numbers, which is what the format says. */
function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
