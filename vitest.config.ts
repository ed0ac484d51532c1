import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Secrets of the Worker under test; they protect nothing. */
const TEST_SECRETS = {
  VES_SEQUENCER_SIGNING_KEY: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
  BOOTSTRAP_ADMIN_API_KEY: "dev_admin_key",
  PAYLOAD_ENCRYPTION_KEY: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
};

/** For tests that go through real objects and Postgres, on machines that are busy with other things too. */
const PATIENCE_MS = 30_000;

/**
 * Three projects. `test/conformance` holds platform-free suites and runs in both runtimes; `node` adds what needs plain Node;
 * `workers` what needs workerd; `e2e` starts real server processes, for a generated client too. All of them share one PostgreSQL server.
 */
export default defineConfig({
  // How packages find what they need inside workerd. Without it, `pg` gets an empty stand-in for its socket.
  ssr: { resolve: { conditions: ["workerd"] } },
  test: {
    globalSetup: "test/support/postgres.setup.ts",
    // Most suites wait more than they compute.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "node",
          include: ["test/conformance/**/*.test.ts", "test/node/**/*.test.ts"],
          testTimeout: PATIENCE_MS,
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            // Many tests provoke what is logged.
            miniflare: {
              bindings: { ...TEST_SECRETS, LOG_LEVEL: "error" },
              hyperdrives: { POSTGRES: inject("postgresUrl") },
            },
          })),
        ],
        test: {
          name: "workers",
          include: ["test/conformance/**/*.test.ts", "test/workers/**/*.test.ts"],
          testTimeout: PATIENCE_MS,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/client/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
