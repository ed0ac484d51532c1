import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../src/ves/index.ts";
import { newSigner, signEvent } from "./lib/signer.ts";

/*
 * `npm run first-event`: makes an agent's key and one signed event, as the two request bodies that a newcomer sends by
 * hand, in .data/first-event/.
 */

const TENANT = "00000000-0000-0000-0000-000000000001";
const STORE = "00000000-0000-0000-0000-000000000002";

const directory = join(import.meta.dirname, "..", ".data", "first-event");
const agent = await newSigner(TENANT, STORE);
const event = await signEvent(agent, {
  entityType: "order",
  entityId: `ORD-${Date.now()}`,
  eventType: "order.created",
  payload: { currency: "EUR", total: "42.00", items: [{ sku: "MUG-01", quantity: 2, price: "21.00" }] },
});

mkdirSync(directory, { recursive: true });
write("key.json", {
  tenantId: TENANT,
  agentId: agent.agentId,
  keyId: agent.keyId,
  publicKey: toHex(agent.key.publicKey),
});
write("event.json", { agentId: agent.agentId, events: [event] });
process.stdout.write(`Wrote key.json and event.json to ${directory}: the bodies of the next two requests.\n`);

function write(name: string, body: unknown): void {
  writeFileSync(join(directory, name), `${JSON.stringify(body, null, 2)}\n`);
}
