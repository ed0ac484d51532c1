import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildAgent } from "../../scripts/lib/build-agent.ts";
import { bundleWorker } from "../../scripts/lib/bundle-worker.ts";
import { newVariables } from "../../scripts/lib/dev-vars.ts";
import { type LocalServer, startWorker } from "../../scripts/lib/local-server.ts";
import { removeTempDirs, tempDir } from "./support/processes.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const AGENT = join(ROOT, "agent");
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");
const MCP_SDK = "@modelcontextprotocol/sdk";
const run = promisify(execFile);

beforeAll(buildAgent);
afterAll(removeTempDirs);

/** The blocks of a guide in one language, in order. */
function blocks(language: string, guide = "agents.md"): string[] {
  const text = readFileSync(join(ROOT, "docs", guide), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) => code ?? "");
}

/** A directory where the packed agent is installed, with the packages that it names: as npm would, without a registry. */
async function installed(): Promise<string> {
  const directory = tempDir();
  const place = join(directory, "node_modules", "@stateset", "agent");
  mkdirSync(place, { recursive: true });
  const pack = ["pack", AGENT, "--silent", "--pack-destination", directory];
  const { stdout } = await run("npm", pack, { cwd: directory });
  await run("tar", ["xzf", join(directory, stdout.trim()), "--strip-components=1", "-C", place]);
  const { dependencies } = JSON.parse(readFileSync(join(AGENT, "package.json"), "utf8")) as { dependencies: object };
  mkdirSync(join(directory, "node_modules", "@noble"));
  for (const name of Object.keys(dependencies)) {
    symlinkSync(join(ROOT, "node_modules", name), join(directory, "node_modules", name));
  }
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  return directory;
}

describe("the guide's five minutes", () => {
  let server: LocalServer;

  beforeAll(async () => {
    const variables = { ...newVariables(), SEAL_MAX_EVENTS: "1" };
    server = await startWorker({ bundle: await bundleWorker(), variables, dataDirectory: tempDir(), port: 0 });
  });
  afterAll(() => server.stop());

  test("lead to a proof that somebody else verifies", async () => {
    const directory = await installed();
    for (const code of blocks("js")) {
      const [, name] = /^\/\/ (\S+)\n/.exec(code) ?? [];
      writeFileSync(join(directory, name ?? ""), code.replaceAll("http://127.0.0.1:8080", server.url));
    }
    const [install = "", commands = ""] = blocks("sh");
    const { version } = JSON.parse(readFileSync(join(AGENT, "package.json"), "utf8")) as { version: string };
    expect(install).toContain(`npm install ./stateset-agent-${version}.tgz`);
    const { stdout } = await run("bash", ["-euc", commands], { cwd: directory });
    const said = [...commands.matchAll(/# (.*)$/gm)].flatMap(([, comment]) => (comment ?? "").split(/, then: /));
    expect(stdout.trimEnd().split("\n")).toEqual(said);
    // The second time it is the same agent, with the next number.
    const again = await run("node", ["shop.mjs"], { cwd: directory });
    expect(again.stdout).toMatch(/^accepted 2\ntrue /);
  });
});

describe("the guide to the MCP server", () => {
  test("configures a client whose server has the tools that it describes", async () => {
    const directory = await installed();
    const program = join(directory, "node_modules", "@stateset", "agent", "dist", "stateset-agent-mcp.js");
    await expect(run("node", [program], { cwd: directory })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`npm install ${MCP_SDK}`),
    });
    for (const name of ["@modelcontextprotocol", ".bin"]) mkdirSync(join(directory, "node_modules", name));
    symlinkSync(join(ROOT, "node_modules", MCP_SDK), join(directory, "node_modules", MCP_SDK));
    symlinkSync(program, join(directory, "node_modules", ".bin", "stateset-agent-mcp"));

    const [configuration = ""] = blocks("json", "mcp.md");
    const { command, args, env } = (
      JSON.parse(configuration) as {
        mcpServers: Record<"shop", { command: string; args: string[]; env: Record<string, string> }>;
      }
    ).mcpServers.shop;
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StdioClientTransport({
        command,
        args,
        cwd: directory,
        env: { ...env, VES_PRIVATE_KEY: "00".repeat(32), PATH: process.env["PATH"] ?? "" },
      }),
    );
    const { tools } = await client.listTools();
    await client.close();
    const guide = readFileSync(join(ROOT, "docs", "mcp.md"), "utf8");
    const described = [...guide.matchAll(/^\| `(stateset_\w+)`/gm)].map(([, name]) => name);
    expect(described).toEqual(tools.map(({ name }) => name));
    const { stdout: help } = await run("node", [program, "--help"]);
    const variables = (text: string) => new Set(text.match(/\b(STATESET|VES)_[A-Z_]+/g));
    expect(variables(guide)).toEqual(variables(help));
  });
});

describe("the package", () => {
  test("has types for whoever imports it", async () => {
    const directory = await installed();
    const program = `
      import { createAgent, memoryStore, type AgentStatus, type Outcome } from "@stateset/agent";
      import { openSqliteStore } from "@stateset/agent/sqlite";
      import { toHex, verifyEvidence } from "@stateset/agent/protocol";
      const identity = { tenantId: "", storeId: "", agentId: "", keyId: 1 };
      const agent = await createAgent({ url: "", credential: "", identity, key: "", store: openSqliteStore("x") });
      const status: AgentStatus = agent.status();
      const numbers: number[] = (await agent.push()).outcomes.map((outcome: Outcome) =>
        outcome.kind === "accepted" || outcome.kind === "replayed" ? outcome.sequenceNumber : status.headSequence);
      // @ts-expect-error a number is no text
      const text: string = status.pulledSequence;
      console.log(numbers, text, toHex, verifyEvidence, memoryStore);
    `;
    writeFileSync(join(directory, "use.ts"), program);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2024,dom"];
    await run(process.execPath, [TSC, ...options, "use.ts"], { cwd: directory });
  });

  test.each(["index", "protocol"])(
    "its %s can be bundled for a browser, and asks for nothing of Node's",
    async (entry) => {
      const { outputFiles } = await build({
        entryPoints: [join(AGENT, "dist", `${entry}.js`)],
        bundle: true,
        platform: "browser",
        format: "esm",
        minify: true,
        write: false,
        logLevel: "silent",
      });
      const [bundle] = outputFiles;
      expect(bundle?.text).not.toMatch(/from\s*"node:|require\(/);
      expect(bundle?.text).not.toMatch(/\bimport\s*["{*]/);
      expect(bundle?.contents.length).toBeGreaterThan(10_000);
    },
  );

  test("names the versions that this repository is tested with", () => {
    const of = (path: string) =>
      JSON.parse(readFileSync(path, "utf8")) as {
        version: string;
        dependencies: Record<string, string>;
        devDependencies?: Record<string, string>;
        peerDependencies?: Record<string, string>;
      };
    const [own, root] = [of(join(AGENT, "package.json")), of(join(ROOT, "package.json"))];
    expect(own.version).toBe(root.version);
    for (const [name, version] of Object.entries(own.dependencies)) expect(root.dependencies[name]).toBe(version);
    expect(root.devDependencies?.[MCP_SDK]).toBe(own.peerDependencies?.[MCP_SDK]);
  });
});
