const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let interrupted: AbortSignal | undefined;

/**
 * Says so on Ctrl-C, and on the signals that end a program. The work ends by itself as soon as it is told; the second signal ends
 * the program at once.
 */
export function interruption(): AbortSignal {
  if (interrupted !== undefined) return interrupted;
  const controller = new AbortController();
  for (const signal of SIGNALS) process.once(signal, () => controller.abort());
  interrupted = controller.signal;
  return interrupted;
}
