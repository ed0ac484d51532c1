/**
 * Keeps Node from saying that its SQLite may change, which is nothing to whoever runs the command. Everything else that it warns of
 * is shown as before.
 */
export function hideExperimentalWarnings(): void {
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") for (const listener of listeners) listener.call(process, warning);
  });
}
