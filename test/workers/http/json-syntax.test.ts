import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  ADMIN,
  call,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  INGEST,
  ingest,
  newAgent,
  resigned,
  type Wire,
} from "./harness.ts";
import type { JsonValue } from "../../../src/ves/index.ts";

async function request(payload: JsonValue = { delta: 5 }) {
  const signer = await newAgent();
  const wire = await event(signer, { payload });
  return { signer, wire, text: JSON.stringify({ agentId: signer.agentId, events: [wire] }) };
}

function nested(depth: number): JsonValue {
  let value: JsonValue = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}

/** How deep a payload lies: the body, its events, the event. */
const DEPTH_ABOVE_PAYLOAD = 3;

describe("a body that is not JSON is refused with 400 MALFORMED_JSON", () => {
  const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text));
  const PREFIX = "The body is not well-formed JSON: ";
  const cases: [string, (text: string) => string | Uint8Array<ArrayBuffer>, RegExp][] = [
    ["empty", () => "", /expected value at position 0, where the text ends$/],
    ["truncated", (text) => text.slice(0, -2), /expected , or \] at position \d+, where the text ends$/],
    ["truncated within a string", (text) => text.slice(0, 5), /expected key or } at position 1$/],
    ["with text after it", (text) => `${text} x`, /expected end of text at position \d+$/],
    ["two documents", (text) => text + text, /expected end of text at position \d+$/],
    ["with a trailing comma", (text) => `${text.slice(0, -1)},}`, /expected key at position \d+$/],
    ["with single quotes", (text) => text.replaceAll('"', "'"), /expected key or } at position 1$/],
    ["with a comment", (text) => `/* */${text}`, /expected value at position 0$/],
    ["NaN", (text) => text.replace('"delta":5', '"delta":NaN'), /expected value at position \d+$/],
    [
      "a number with a leading zero",
      (text) => text.replace('"delta":5', '"delta":05'),
      /expected , or } at position \d+$/,
    ],
    [
      "a raw control character in a string",
      (text) => text.replace("inventory", "inven\u0001tory"),
      /expected value at position \d+$/,
    ],
    ["with a byte order mark", (text) => `\uFEFF${text}`, /expected value at position 0$/],
    [
      "UTF-16",
      (text) => new Uint8Array(text.split("").flatMap((c) => [c.charCodeAt(0), 0])),
      /expected key or } at position 1$/,
    ],
    ["invalid UTF-8", (text) => new Uint8Array([...bytes(text.slice(0, 20)), 0xc3, 0x28]), /not valid UTF-8$/],
    ["UTF-8 of a surrogate", (text) => new Uint8Array([...bytes(text), 0xed, 0xa0, 0x80]), /not valid UTF-8$/],
    ["overlong UTF-8", (text) => new Uint8Array([...bytes(text), 0xc0, 0xaf]), /not valid UTF-8$/],
    [
      "1e400 in the payload",
      (text) => text.replace('"delta":5', '"delta":1e400'),
      /number too large for a double at position \d+$/,
    ],
    [
      "-1e400 in the payload",
      (text) => text.replace('"delta":5', '"delta":-1e400'),
      /number too large for a double at position \d+$/,
    ],
    [
      "a number of 400 digits",
      (text) => text.replace('"delta":5', `"delta":1${"0".repeat(399)}`),
      /number too large for a double/,
    ],
    [
      "a lone high surrogate escape in the payload",
      (text) => text.replace('"delta":5', '"delta":"\\ud800"'),
      /lone high surrogate escape/,
    ],
    [
      "a lone low surrogate escape in the payload",
      (text) => text.replace('"delta":5', '"delta":"\\uDC00"'),
      /lone low surrogate escape/,
    ],
    [
      "two high surrogate escapes",
      (text) => text.replace('"delta":5', '"delta":"\\ud83d\\ud83d"'),
      /lone high surrogate escape/,
    ],
    [
      "a lone surrogate in a member's name",
      (text) => text.replace('"delta":5', '"\\udfff":5'),
      /lone low surrogate escape/,
    ],
    ["a lone surrogate in entity_id", (text) => text.replace('"SKU-', '"\\ud800SKU-'), /lone high surrogate escape/],
    [
      "a lone surrogate in an unknown member",
      (text) => text.replace("{", '{"x":"\\ud800",'),
      /lone high surrogate escape/,
    ],
    [
      "a lone surrogate that a later duplicate hides",
      (text) => text.replace("{", '{"agentId":"\\ud800",'),
      /lone high surrogate escape/,
    ],
  ];

  it.each(cases)("%s", async (_, change, message) => {
    const { signer, wire, text } = await request();
    const changed = change(text);
    expect(changed).not.toBe(text);
    const reply = await call("POST", INGEST, { raw: changed });
    expectError(reply, "MALFORMED_JSON", new RegExp(`^${PREFIX}.*${message.source}`));
    await expectNothingStored(signer);
    const control = await call("POST", INGEST, { raw: text });
    expect(control.body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("nesting 130 deep", async () => {
    const { signer, text } = await request();
    const deep = text.replace('{"delta":5}', "[".repeat(130) + "]".repeat(130));
    const reply = await call("POST", INGEST, { raw: deep });
    expectError(
      reply,
      "MALFORMED_JSON",
      /^The body is not well-formed JSON: nesting deeper than 128 levels at position \d+$/,
    );
    await expectNothingStored(signer);
  });

  it("nesting one level beyond the limit, and at the limit", async () => {
    const limit = 128 - DEPTH_ABOVE_PAYLOAD;
    const over = await request(nested(limit + 1));
    expect(over.text).toContain("[".repeat(limit + 1));
    expectError(await call("POST", INGEST, { raw: over.text }), "MALFORMED_JSON", /nesting deeper than 128 levels/);
    await expectNothingStored(over.signer);
    const at = await request(nested(limit));
    const control = await call("POST", INGEST, { raw: at.text });
    expect(control.body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(at.signer, [at.wire]);
  });

  it("100,000 opening brackets", async () => {
    const reply = await call("POST", INGEST, { raw: "[".repeat(100_000) });
    expectError(reply, "MALFORMED_JSON", /expected value or \] at position 100000, where the text ends$/);
  });
});

describe("JSON that is unusual but sound is accepted", () => {
  const payloads: [string, JsonValue][] = [
    ["numbers at the edge of a double", { a: 1.7976931348623157e308, b: 5e-324, c: -0.1, d: 2 ** 53 }],
    ["strings outside the basic plane, controls and U+0000", { "\u{1f600}": "\u0000\u0001\u2028\u{10ffff}" }],
    ["members called like those of every object", { constructor: 1, toString: 2, hasOwnProperty: 3 }],
    ["a string", "text"],
    ["an empty string", ""],
    ["zero", 0],
    ["false", false],
    ["an empty list", []],
    ["an empty object", {}],
  ];
  it.each(payloads)("payload: %s", async (_, payload) => {
    const { signer, wire, text } = await request(payload);
    const reply = await call("POST", INGEST, { raw: text });
    expect(reply.body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("a payload with a member called __proto__ comes back with it", async () => {
    const { signer, wire } = await request();
    const payload = JSON.parse('{"__proto__": {"a": 1}, "delta": 5}') as JsonValue;
    const changed = await resigned(signer, wire, { payload });
    const text = JSON.stringify({ agentId: signer.agentId, events: [changed] });
    const reply = await call("POST", INGEST, { raw: text });
    expect(reply.body).toMatchObject({ eventsAccepted: 1 });
    const log = await call("GET", `/api/v1/ves/events?tenant_id=${signer.tenantId}&store_id=${signer.storeId}`);
    expect(log.text).toContain('"payload":{"__proto__":{"a":1},"delta":5}');
  });

  it("of two equal members the last one counts, outside and inside the payload", async () => {
    const { signer, wire, text } = await request({ delta: 5 });
    const twice = text
      .replace("{", `{"agentId":"not a uuid",`)
      .replace('"payload":{', '"payload":{"delta":4,')
      .replace('"entity_id":', '"entity_id":7,"entity_id":');
    const reply = await call("POST", INGEST, { raw: twice });
    expect(reply.body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("whitespace around and inside, escapes where none are needed", async () => {
    const { signer, wire } = await request();
    const text = JSON.stringify({ agentId: signer.agentId, events: [wire] }, null, "\t").replaceAll(
      "inventory",
      "\\u0069nventory",
    );
    const reply = await call("POST", INGEST, { raw: `\r\n ${text} \n` });
    expect(reply.body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });
});

describe("how a body is declared", () => {
  const MEDIA = "The body must be JSON: send Content-Type: application/json";
  const refused: [string, Record<string, string>, string][] = [
    ["no content type", { "content-type": "" }, MEDIA],
    ["text/plain", { "content-type": "text/plain" }, MEDIA],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, MEDIA],
    ["text/json", { "content-type": "text/json" }, MEDIA],
    ["JSON lines", { "content-type": "application/jsonl" }, MEDIA],
    ["gzip", { "content-encoding": "gzip" }, "Content-Encoding gzip is not accepted: send the body as it is"],
    ["br", { "content-encoding": "BR" }, "Content-Encoding br is not accepted: send the body as it is"],
  ];
  it.each(refused)("415: %s", async (_, headers, message) => {
    const { signer, wire } = await request();
    expectError(await ingest(signer, [wire], { headers }), "UNSUPPORTED_MEDIA_TYPE", message);
    await expectNothingStored(signer);
  });

  const accepted: [string, Record<string, string>][] = [
    ["with a charset", { "content-type": "application/json; charset=utf-8" }],
    ["in capitals", { "content-type": "APPLICATION/JSON" }],
    ["a JSON family type", { "content-type": "application/vnd.stateset+json" }],
    ["identity encoding", { "content-encoding": "identity" }],
  ];
  it.each(accepted)("accepted: %s", async (_, headers) => {
    const { signer, wire } = await request();
    expect((await ingest(signer, [wire], { headers })).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });
});

describe("sizes", () => {
  const tooLarge = async (signer: Awaited<ReturnType<typeof newAgent>>, bad: Wire): Promise<void> => {
    const good = await event(signer);
    const reply = await ingest(signer, [good, bad]);
    expectError(reply, "PAYLOAD_TOO_LARGE", "events.1: a payload may have 1048576 bytes as canonical JSON");
    await expectNothingStored(signer);
  };

  it("a payload of 2 MB", async () => {
    const signer = await newAgent();
    await tooLarge(signer, await event(signer, { payload: { text: "x".repeat(2_000_000) } }));
  });

  it("a payload one byte above 1 MiB, counted in UTF-8, and one of exactly 1 MiB", async () => {
    const signer = await newAgent();
    const payloadOf = (bytes: number): string => "é".repeat((bytes - 2) / 2) + "x".repeat(bytes % 2);
    await tooLarge(signer, await event(signer, { payload: payloadOf(2 ** 20 + 1) }));
    const wire = await event(signer, { payload: payloadOf(2 ** 20) });
    expect((await ingest(signer, [wire])).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it.each(["with its length declared", "as a stream"])("a body above MAX_BODY_SIZE_BYTES, %s", async (how) => {
    const { signer, text } = await request();
    const padded = new TextEncoder().encode(text + " ".repeat(10 * 1024 * 1024));
    const raw = how === "as a stream" ? new Blob([padded]).stream() : padded;
    const reply = await call("POST", INGEST, { raw });
    expectError(reply, "PAYLOAD_TOO_LARGE", "A body may have 10485760 bytes");
    await expectNothingStored(signer);
  });

  it("nothing of a body is read for a caller without a credential, and no more than is allowed for one with", async () => {
    const megabyte = new Uint8Array(1024 * 1024).fill(0x20);
    const pulledFor = async (key: string | null, code: ErrorCode): Promise<number> => {
      let pulled = 0;
      const raw = new ReadableStream<Uint8Array>({
        pull: (controller) => (++pulled > 40 ? controller.close() : controller.enqueue(megabyte)),
      });
      expect((await call("POST", INGEST, { key, raw })).headers.get("x-error-code")).toBe(code);
      return pulled;
    };
    expect(await pulledFor(null, "AUTH_REQUIRED")).toBeLessThan(3);
    expect(await pulledFor(ADMIN, "PAYLOAD_TOO_LARGE")).toBeLessThan(14);
  });

  it("a body of exactly MAX_BODY_SIZE_BYTES is accepted", async () => {
    const { signer, text, wire } = await request();
    const padded = text.padEnd(10 * 1024 * 1024, " ");
    expect((await call("POST", INGEST, { raw: padded })).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });
});
