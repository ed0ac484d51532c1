/** A figure that is to stay on one side of a bound. */
export interface Target {
  readonly name: string;
  readonly value: number;
  readonly unit?: string;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  /** Numbers stand to the right, texts to the left. */
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What one section measured. */
export interface SectionResult {
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** What has to be known to read the figures. */
  readonly notes?: readonly string[];
}

export function isMet({ value, bound }: Target): boolean {
  return "atLeast" in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** A line for who waits, apart from the results. */
export function progress(line: string): void {
  process.stderr.write(`${line} ...\n`);
}

export function formatSection(title: string, result: SectionResult): string {
  const { tables, targets, notes = [] } = result;
  const lines = [...targets.map(formatTarget), ...notes.map((note) => `  ${note}`)];
  const parts = [`\n${title}\n${"=".repeat(title.length)}\n`, ...tables.map(formatTable)];
  if (lines.length > 0) parts.push(`${lines.join("\n")}\n`);
  return parts.join("\n");
}

export function formatTarget(target: Target): string {
  const { name, value, unit = "", bound } = target;
  const wanted = "atLeast" in bound ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`;
  return `  ${isMet(target) ? "pass" : "MISS"}  ${name}: ${formatNumber(value)}${unit}  (target ${wanted}${unit})`;
}

function formatTable({ title, columns, rows }: Table): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? formatNumber(cell) : cell)));
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const isText = columns.map((_, i) => typeof rows[0]?.[i] === "string");
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, i) => (isText[i] ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")}`.trimEnd();
  return `${[title, line(columns), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n")}\n`;
}

/** Three significant digits, or all of a larger whole number: more would be noise. */
function formatNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
