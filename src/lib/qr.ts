/** Light modules around a code, by which readers find it (ISO/IEC 18004 section 6.3.8). */
const QUIET_ZONE = 4;

/** Rows of modules from the top, `true` where one is dark, with the quiet zone. */
type Modules = readonly (readonly boolean[])[];

/**
 * A QR code as a standalone SVG, one path for everything dark. It has no style and no script, so that it may stand in a page under the
 * strictest policy, and a light ground of its own, because readers want dark on light whatever the page looks like.
 */
export async function qrSvg(text: string): Promise<string> {
  const modules = await modulesOf(text);
  const size = modules.length;
  const path = modules.flatMap((row, y) =>
    runsOf(row).map(([x, length]) => `M${x} ${y}h${length}v1h-${length}z`),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges" role="img" aria-label="QR code">` +
    `<path fill="#fff" d="M0 0h${size}v${size}h-${size}z"/><path fill="#000" d="${path.join('')}"/></svg>`
  );
}

/** Black on white, whatever the terminal's colours are (ECMA-48 section 8.3.117: 24-bit colours as most terminals know them). */
const BLACK_ON_WHITE = '\u001B[38;2;0;0;0;48;2;255;255;255m';
const PLAIN = '\u001B[0m';

/**
 * The lines of a QR code for a terminal, two rows of modules in each. Without colours the light modules are drawn, as most terminals
 * write light on dark.
 */
export async function qrLines(text: string, { colours }: { colours: boolean }): Promise<string[]> {
  const modules = await modulesOf(text);
  const lines: string[] = [];
  for (let y = 0; y < modules.length; y += 2) {
    const [upper = [], lower = []] = modules.slice(y, y + 2);
    const line = upper.map((dark, x) => halves(dark === colours, (lower[x] ?? false) === colours)).join('');
    lines.push(colours ? `${BLACK_ON_WHITE}${line}${PLAIN}` : line);
  }
  return lines;
}

function halves(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}

/** Imported when it is needed: few starts of the program draw anything. */
async function modulesOf(text: string): Promise<Modules> {
  const { encodeQR } = await import('qr');
  return encodeQR(text, 'raw', { ecc: 'medium', border: QUIET_ZONE });
}

/** Where dark modules begin in a row, and how many there are. */
function runsOf(row: readonly boolean[]): (readonly [start: number, length: number])[] {
  const runs: [number, number][] = [];
  for (const [x, dark] of row.entries()) {
    const last = runs.at(-1);
    if (dark && last !== undefined && last[0] + last[1] === x) last[1]++;
    else if (dark) runs.push([x, 1]);
  }
  return runs;
}
