import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openHttpSource } from "../../scripts/fsck/http-source.ts";
import { SourceError } from "../../scripts/fsck/log-source.ts";
import type { Server } from "../../scripts/lib/client.ts";

const STREAM = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
const ZEROS = "00".repeat(32);
const HEAD = { head_sequence: 50_000, sealed_sequence: 50_000, state_root: ZEROS, frozen: null };

type Routes = Readonly<Record<string, (query: URLSearchParams) => unknown>>;

/** A server that answers each route, named by the last part of its path, by what is given for it. */
async function serving(routes: Routes): Promise<Server> {
  const all: Routes = { head: () => HEAD, keys: () => ({ keys: [] }), ...routes };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    response.end(JSON.stringify(all[pathname.split("/").at(-1) ?? ""]?.(searchParams)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: "k" };
}

function commitment(start: number, size: number) {
  return {
    batch_id: crypto.randomUUID(),
    ves_version: 1,
    tree_depth: 4,
    leaf_count: size,
    padded_leaf_count: 16,
    merkle_root: ZEROS,
    prev_state_root: ZEROS,
    new_state_root: ZEROS,
    sequence_start: start,
    sequence_end: start + size - 1,
    committed_at: "2026-01-01T00:00:00.000+00:00",
  };
}

test.each([1, 7, 10, 4_096, 16_384, 50_000])("lists batches of %i events in order", async (size) => {
  const starts = Array.from({ length: Math.ceil(50_000 / size) }, (_, index) => 1 + index * size);
  const server = await serving({
    commitments: (query) => {
      const before = starts.filter((start) => start < Number(query.get("before"))).toReversed();
      const page = before.slice(0, Number(query.get("limit"))).map((start) => commitment(start, size));
      const hasMore = page.length < before.length;
      return { commitments: page, has_more: hasMore, next_before: hasMore ? page.at(-1)?.sequence_start : null };
    },
  });
  const source = await openHttpSource(server, STREAM, { receipts: true });
  const listed: number[] = [];
  for await (const page of source.batches()) listed.push(...page.map(({ sequenceStart }) => sequenceStart));
  expect(listed).toEqual(starts);
});

test("does not ask for ever when a server goes in circles", async () => {
  const server = await serving({
    events: () => ({ events: [], has_more: true, next_sequence: 1 }),
    commitments: (query) => ({ commitments: [], has_more: true, next_before: Number(query.get("before")) }),
  });
  const source = await openHttpSource(server, STREAM, { receipts: true });
  for await (const page of source.events()) expect(page).toEqual([]);
  for await (const page of source.batches()) expect(page).toEqual([]);
});

test("says in a sentence when the answers are not those of a sequencer", async () => {
  const server = await serving({ head: () => ({ hello: "world" }) });
  const error = await openHttpSource(server, STREAM, { receipts: true }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SourceError);
  expect((error as Error).message).toMatch(
    /^What \S+ answers to \/api\/v1\/ves\/head is not understood: head_sequence: .*\.$/,
  );
});
