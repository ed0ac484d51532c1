import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second, whatever its kernel's own clock. */
const TICK_MICROS = 10_000;

/**
 * Processor time that the sequencers which this process has started have taken until now, in microseconds; null where the system
 * does not tell.
 */
export function serverCpuMicros(): number | null {
  if (process.platform !== "linux") return null;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(statOf)
    .filter(({ program, parent }) => program === "workerd" && parent === process.pid)
    .reduce((sum, { ticks }) => sum + ticks * TICK_MICROS, 0);
}

interface Stat {
  readonly program: string;
  readonly parent: number;
  readonly ticks: number;
}

/** See proc_pid_stat(5). */
function statOf(pid: string): Stat {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const end = text.lastIndexOf(")");
    // After the program's name, which may hold blanks, comes field number 3.
    const fields = text.slice(end + 2).split(" ");
    const field = (number: number): number => Number(fields[number - 3]);
    return { program: text.slice(text.indexOf("(") + 1, end), parent: field(4), ticks: field(14) + field(15) };
  } catch {
    // It has ended since it was listed.
    return { program: "", parent: 0, ticks: 0 };
  }
}
