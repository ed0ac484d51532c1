/**
 * What runs in the browser, as it is sent. Whatever a server says becomes text nodes, and nothing else: the page's policy
 * has the browser refuse any other way (Trusted Types). The credential is kept in memory alone, and is forgotten with the page.
 */
export const SCRIPT = String.raw`
"use strict";
const REFRESH_MS = 15000;
const PAGE = 200;
const API = "/api/v1/admin/";
const byId = (id) => document.getElementById(id);
let key = "";
let timer = 0;
let round = 0;
const pages = { tenants: 1, stores: 1, agents: 1 };

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
const count = (n) => n.toLocaleString("en");
/** The beginning of an id or hash; a click copies all of it, where the browser lets the page. */
function short(text, length = 8) {
  const shown = text.slice(0, length) + "…";
  const made = element("button", { type: "button", className: "id", title: text + ": click to copy", textContent: shown });
  made.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    made.textContent = "copied".padEnd(length + 1);
    setTimeout(() => (made.textContent = shown), 1000);
  });
  return made;
}
const mark = (kind, text) => element("span", { className: "mark " + kind, textContent: text });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
function ago(time) {
  if (time === null) return "never";
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  return element("time", { dateTime: time, title: time, textContent: relative.format(-Math.floor(seconds / size), unit) });
}

/** Answers with the JSON of a 200. Throws an Error with the server's sentence for anything else. */
async function ask(path) {
  const response = await fetch(path, { headers: { authorization: "Bearer " + key }, credentials: "omit", cache: "no-store" });
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  throw Object.assign(new Error(body?.message ?? "The sequencer answers " + response.status), { status: response.status });
}

/** Rows of as many pages as are shown. */
async function rowsOf(name, nextOf) {
  const rows = [];
  for (let page = 0; page < pages[name]; page++) {
    const more = await ask(API + name + "?limit=" + PAGE + (rows.length === 0 ? "" : nextOf(rows.at(-1))));
    rows.push(...more);
    if (more.length < PAGE) break;
  }
  return rows;
}
const next = (names) => (row) => names.map((name) => "&after_" + name.replace("Id", "_id") + "=" + row[name]).join("");

function table(id, columns, rows, empty) {
  const cell = (tag, content, isNumber) => element(tag, { className: isNumber ? "number" : "" }, content);
  const head = element("tr", {}, ...columns.map(([title, , isNumber]) => cell("th", title, isNumber)));
  const body = rows.map((row) => element("tr", {}, ...columns.map(([, value, isNumber]) => cell("td", value(row), isNumber))));
  const shown = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  byId(id).replaceChildren(rows.length === 0 ? element("p", { className: "quiet", textContent: empty }) : shown);
  const more = byId(id + "-more");
  if (more !== null) more.hidden = rows.length < PAGE * pages[id];
}

const KINDS = { healthy: "good", degraded: "fair", unhealthy: "bad", not_configured: "none", anchored: "good", submitted: "fair", pending: "none" };
const statusMark = (status) => mark(KINDS[status] ?? "none", status.replaceAll("_", " "));

function showOverview(numbers) {
  const cards = [
    ["Events", count(numbers.totalHeadSequence), "mirrored, of all streams"],
    ["Stores", count(numbers.stores), count(numbers.activeStores24h) + " active in 24 hours"],
    ["Agents", count(numbers.agents), ""],
    ["API keys", count(numbers.activeApiKeys), "active, of " + count(numbers.apiKeys)],
    ["Tenants", count(numbers.tenants), ""],
    ["Last event", ago(numbers.lastActivityAt), ""],
  ];
  byId("overview").replaceChildren(
    ...cards.map(([name, value, note]) =>
      element("div", {}, element("dt", { textContent: name }), element("dd", {}, value, element("small", { textContent: note })))),
  );
}

function showHealth({ status, version, components }) {
  byId("status").replaceChildren(statusMark(status));
  byId("version").textContent = version;
  const parts = [["Database", components.database], ["Mirror", components.mirror], ["Anchoring", components.anchor_service], ["Lag", components.lag], ["Metrics", components.metrics]];
  const lines = parts.map(([name, part]) => [name, part.status, part.message ?? (part.response_time_ms === undefined ? "" : "answers in " + part.response_time_ms + " ms")]);
  const frozen = components.mirror.frozen_streams.map((stream) => ["Store " + stream.store_id, "degraded", stream.reason]);
  byId("health").replaceChildren(
    ...[...lines, ...frozen].flatMap(([name, state, message]) => [
      element("span", { textContent: name }), statusMark(state), element("span", { className: "message quiet", textContent: message }),
    ]),
  );
}

const tenant = ["Tenant", (row) => short(row.tenantId)];
const store = ["Store", (row) => short(row.storeId)];
const BATCHES = [
  ["Sealed", (row) => ago(row.committedAt)], tenant, store,
  ["Events", (row) => count(row.sequenceStart) + " – " + count(row.sequenceEnd), true],
  ["Merkle root", (row) => short(row.merkleRoot, 12)], ["On chain", (row) => statusMark(row.anchorStatus)],
];
const STORES = [
  tenant, store, ["Head", (row) => count(row.headSequence), true], ["Anchored", (row) => count(row.anchoredSequence), true],
  ["Agents", (row) => count(row.agentCount), true], ["Last event", (row) => ago(row.updatedAt)],
  ["Writes", (row) => row.frozenReason === null ? mark("good", "open") : Object.assign(mark("bad", "frozen"), { title: row.frozenReason })],
];
const TENANTS = [
  tenant, ["Events", (row) => count(row.totalHeadSequence), true], ["Stores", (row) => count(row.storeCount), true],
  ["Agents", (row) => count(row.agentCount), true], ["Active API keys", (row) => count(row.activeApiKeys), true],
  ["Latest key", (row) => ago(row.lastKeyAt)], ["Last event", (row) => ago(row.lastActivityAt)],
];
const AGENTS = [
  tenant, ["Agent", (row) => short(row.agentId)], ["May", (row) => (row.permissions ?? "nothing").replace("_", ", ")],
  ["Stores", (row) => row.storeScope ?? "none"], ["Active API keys", (row) => count(row.activeApiKeys), true],
  ["Active signing keys", (row) => count(row.activeSigningKeys), true], ["Latest key", (row) => ago(row.lastKeyAt)],
];

function showProblem(message) {
  byId("problem").hidden = message === "";
  byId("problem").textContent = message;
}

/** Reads and shows everything. What a later call has begun to show is not overwritten. */
async function refresh() {
  clearTimeout(timer);
  const mine = ++round;
  try {
    // First and alone: it answers without Postgres too, and says whether the key is one.
    const health = await ask("/health/detailed");
    if (mine !== round) return;
    showHealth(health);
    byId("enter").hidden = true;
    byId("numbers").hidden = byId("session").hidden = false;
    const [overview, batches, stores, tenants, agents] = await Promise.all([
      ask(API + "overview"), ask(API + "batches"),
      rowsOf("stores", next(["tenantId", "storeId"])), rowsOf("tenants", (row) => "&after=" + row.tenantId),
      rowsOf("agents", next(["tenantId", "agentId"])),
    ]);
    if (mine !== round) return;
    showOverview(overview);
    table("batches", BATCHES, batches, "No batch is mirrored yet.");
    table("stores", STORES, stores, "No store was written to yet.");
    table("tenants", TENANTS, tenants, "There is no tenant yet.");
    table("agents", AGENTS, agents, "There is no agent yet.");
    byId("updated").textContent = "as of " + new Date().toLocaleTimeString("en", { hour12: false });
    showProblem("");
  } catch (error) {
    if (mine !== round) return;
    showProblem(error.message);
    if (error.status === 401 || error.status === 403) return forget();
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function forget() {
  clearTimeout(timer);
  round++;
  key = "";
  for (const name of Object.keys(pages)) pages[name] = 1;
  for (const id of ["overview", "health", "batches", "stores", "tenants", "agents", "status"]) byId(id).replaceChildren();
  byId("numbers").hidden = byId("session").hidden = true;
  byId("enter").hidden = false;
  byId("key").focus();
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  byId("key").value = "";
  showProblem("");
  refresh();
});
byId("forget").addEventListener("click", () => { showProblem(""); forget(); });
byId("refresh").addEventListener("click", refresh);
for (const name of Object.keys(pages)) byId(name + "-more").addEventListener("click", () => { pages[name]++; refresh(); });
`;
