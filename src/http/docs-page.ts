import { html, raw } from "hono/html";
import type { OpenApiDocument, Operation } from "./openapi.ts";

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
  code, pre { font: 13px/1.5 ui-monospace, monospace; }
  pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; max-height: 24rem; }
  details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .5rem .75rem; }
  summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; }
  .old { opacity: .65; }
  table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
`;

/** The API document as a page that needs no script and nothing from elsewhere. */
export function docsPage(document: OpenApiDocument) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const tags = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? "");
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${document.info.title} API</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>${document.info.title}</h1>
        <p>Version ${document.info.version} · <a href="/openapi.json">OpenAPI 3.1 document</a></p>
        <p>${document.info.description}</p>
        <p>
          Send a credential with every request, except where a route is public:
          <code>Authorization: ApiKey &lt;key&gt;</code> or <code>x-api-key: &lt;key&gt;</code>.
        </p>
        ${[...tags].map(
          ([tag, routes]) =>
            html`<h2>${tag}</h2>
              ${routes.map(({ path, method, operation }) => routeSection(path, method, operation))}`,
        )}
        <h2>Schemas</h2>
        ${Object.entries(document.components.schemas).map(
          ([name, schema]) =>
            html`<details id="${name}">
              <summary>${name}</summary>
              <pre>${JSON.stringify(schema, null, 2)}</pre>
            </details>`,
        )}
      </body>
    </html>`;
}

function routeSection(path: string, method: string, operation: Operation) {
  const { parameters, requestBody, responses } = operation;
  return html`<details id="${operation.operationId}" class="${operation.deprecated ? "old" : ""}">
    <summary>
      <b>${method}</b> <code>${path}</code> ${operation.summary}${operation.deprecated ? " (older path)" : ""}
    </summary>
    ${operation.description ? html`<p>${operation.description}</p>` : ""}
    ${operation.security.length === 0 ? html`<p>Public: no credential needed.</p>` : ""}
    ${
      parameters.length === 0
        ? ""
        : html`<table>
            ${parameters.map(
              (parameter) =>
                html`<tr>
                  <th><code>${parameter.name}</code></th>
                  <td>${parameter.in}${parameter.required ? ", required" : ""}</td>
                  <td>${parameter.description ?? ""}</td>
                </tr>`,
            )}
          </table>`
    }
    ${
      requestBody === undefined
        ? ""
        : html`<p>Body</p>
            <pre>${JSON.stringify(requestBody, null, 2)}</pre>`
    }
    ${Object.entries(responses).map(([status, response]) => {
      const { description, content } = response as { description: string; content: unknown };
      return status === "200"
        ? html`<p>200</p>
            <pre>${JSON.stringify(content, null, 2)}</pre>`
        : html`<p>${status}: ${description}</p>`;
    })}
  </details>`;
}
