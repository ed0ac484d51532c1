import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { EncryptionErrorCode } from "../../../agent/src/encryption/index.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const text = readFileSync(join(ROOT, "docs/encryption.md"), "utf8");

test("the example of docs/encryption.md runs", () => {
  const [, code = ""] = /^```ts\n([^]*?)^```/m.exec(text) ?? [];
  const program = join(ROOT, `encryption-example-${process.pid}.ts`);
  // The package's own directory is not installed in this one.
  writeFileSync(program, code.replace('"@stateset/agent/encryption"', '"./agent/src/encryption/index.ts"'));
  try {
    expect(
      execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", program], { encoding: "utf8" }),
    ).toBe("{ total: '42.00' }\n");
  } finally {
    rmSync(program);
  }
});

test("docs/encryption.md lists the checks of decrypting in their order", () => {
  const inOrder: readonly EncryptionErrorCode[] = [
    "not_encrypted",
    "malformed",
    "unsupported_suite",
    "cipher_hash_mismatch",
    "not_a_recipient",
    "key_unwrap_failed",
    "content_decryption_failed",
    "plaintext_too_short",
    "plaintext_not_json",
    "plain_hash_mismatch",
  ];
  const [table = ""] = /^\| code[^]*?\n\n/m.exec(text) ?? [];
  const rows = table.split("\n").map((row) => row.split("|")[1] ?? "");
  expect(rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code))).toEqual(inOrder);
});
