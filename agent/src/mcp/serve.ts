import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../errors.ts";
import { type Command, CommandLineError } from "./command-line.ts";
import { serveHttp } from "./http.ts";
import { createServer } from "./server.ts";
import { type Environment, readSettings } from "./settings.ts";
import { serveStdio } from "./stdio.ts";
import { createToolkit, type Toolkit } from "./toolkit.ts";

/** What is under way when the server stops may take so long; then it is given up. */
const CLOSE_MS = 3_000;

/**
 * Serves until the client is gone, or a signal asks for the end.
 *
 * @param say writes a line for people
 * @throws CommandLineError, SettingsError; Error when the outbox cannot be opened or the port is taken
 */
export async function serve(
  command: Exclude<Command, { readonly kind: "help" }>,
  env: Environment,
  say: (line: string) => void,
): Promise<void> {
  const settings = readSettings(env);
  if (command.kind === "http" && command.publicName !== undefined && settings.mcpToken === undefined) {
    throw new CommandLineError(`STATESET_MCP_TOKEN must be set to serve at ${command.publicName}: others reach it.`);
  }
  const kit = await createToolkit(settings);
  const newServer = () => createServer(kit, (fault) => say(kit.redact(fault)));
  const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM"), once(process, "SIGHUP")]);
  if (command.kind === "stdio") {
    await Promise.race([serveStdio(newServer()), stopped]);
  } else {
    const listener = await serveHttp({ ...command, token: settings.mcpToken }, newServer);
    say(`Serving MCP at ${listener.url}`);
    await stopped;
    await listener.close();
  }
  await close(kit);
}

async function close({ agent }: Toolkit): Promise<void> {
  try {
    await Promise.race([agent.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
  }
}
