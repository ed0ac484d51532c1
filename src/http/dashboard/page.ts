import { html, raw } from "hono/html";
import { sha256, toBase64, utf8 } from "../../ves/index.ts";
import { VERSION } from "../../version.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

const hashSource = (text: string): string => `'sha256-${toBase64(sha256(utf8(text)))}'`;

/** Nothing runs and nothing is styled but what the page brings along, and it speaks to its own origin only. */
export const DASHBOARD_POLICY = [
  "default-src 'none'",
  `script-src ${hashSource(SCRIPT)}`,
  `style-src ${hashSource(STYLE)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const LISTS = [
  { id: "stores", title: "Stores" },
  { id: "tenants", title: "Tenants" },
  { id: "agents", title: "Agents" },
];

/**
 * The administrators' page. It holds no data: it asks for a credential in the browser and reads the administrative routes
 * with it. It needs nothing from elsewhere.
 */
export function dashboardPage() {
  // The hashes are of these very texts, without a space around them.
  const style = raw(`<style>${STYLE}</style>`);
  const script = raw(`<script>${SCRIPT}</script>`);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <link rel="icon" href="data:," />
        <title>StateSet Sequencer: administration</title>
        ${style}
      </head>
      <body>
        <header>
          <h1>StateSet Sequencer</h1>
          <span class="quiet small" id="version">${VERSION}</span>
          <span id="status" role="status"></span>
          <span class="end" id="session" hidden>
            <span class="quiet small" id="updated"></span>
            <span>
              <button id="refresh" type="button">Refresh</button>
              <button id="forget" type="button">Forget the key</button>
            </span>
          </span>
        </header>
        <main>
          <noscript><p class="panel problem">This page needs JavaScript.</p></noscript>
          <p class="panel problem" id="problem" role="alert" hidden></p>
          <form class="panel" id="enter">
            <label for="key">Administrator's API key or token</label>
            <p class="quiet small">
              It is kept in this page's memory, sent to this server alone, and forgotten with the page.
            </p>
            <div class="row">
              <input id="key" type="password" autocomplete="off" spellcheck="false" required autofocus />
              <button class="main" type="submit">Show</button>
            </div>
          </form>
          <div id="numbers" hidden>
            <dl class="cards" id="overview"></dl>
            <section class="panel">
              <h2>Health</h2>
              <div class="health" id="health"></div>
            </section>
            <section class="panel">
              <h2>Recent batches</h2>
              <div class="scroll" id="batches"></div>
            </section>
            ${LISTS.map(
              ({ id, title }) =>
                html`<section class="panel">
                  <h2>${title}</h2>
                  <div class="scroll" id="${id}"></div>
                  <button class="more" id="${id}-more" type="button" hidden>Show more</button>
                </section>`,
            )}
          </div>
        </main>
        ${script}
      </body>
    </html>`;
}
