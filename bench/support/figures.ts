/** One measured figure. */
export interface Figure {
  value: number;
  /** What it is, in a few words, for the table. */
  meaning: string;
  /** What it should be at least or at most; a benchmark reports, it never fails. */
  target?: { atLeast: number } | { atMost: number };
}

/** Figures by the names they have in the JSON. */
export type Figures = Readonly<Record<string, Figure>>;

export interface Benchmark {
  title: string;
  /** `progress` takes a line for people, about what is being measured now. */
  run(progress: (line: string) => void): Promise<Figures>;
}

/** One JSON object in one line. */
export function figuresAsJson(name: string, figures: Figures): string {
  const values = Object.entries(figures).map(([key, { value }]) => [key, round(value)]);
  return JSON.stringify({ bench: name, ...Object.fromEntries(values) });
}

export function figuresAsTable(figures: Figures): string {
  const rows = Object.entries(figures).map(([name, { value, target, meaning }]) => [
    name,
    String(round(value)),
    target === undefined ? '' : targetText(target, value),
    meaning,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([name = '', value = '', target = '', meaning = '']) =>
      [
        name.padEnd(widths[0] ?? 0),
        value.padStart(widths[1] ?? 0),
        target.padEnd(widths[2] ?? 0),
        meaning,
      ].join('  '),
    )
    .join('\n');
}

function targetText(target: NonNullable<Figure['target']>, value: number): string {
  const [sign, bound, met] =
    'atLeast' in target
      ? ['≥', target.atLeast, value >= target.atLeast]
      : ['≤', target.atMost, value <= target.atMost];
  return `${sign} ${bound} ${met ? 'met' : 'missed'}`;
}

/** Four figures are more than a noisy machine can tell apart. */
function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}
