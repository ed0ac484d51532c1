import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A span as OTLP/HTTP has it in JSON. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code?: number };
}

interface Received {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: CollectedSpan["attributes"] };
    readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[];
  }[];
}

/** A receiver of spans that keeps everything. */
export interface SpanCollector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  readonly requests: {
    readonly path: string | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly service: unknown;
  }[];
  /** Statuses that it answers with, one after the other; 200 when there is none left. */
  readonly statuses: number[];
  readonly stop: () => Promise<void>;
}

export async function startCollector(): Promise<SpanCollector> {
  const spans: CollectedSpan[] = [];
  const requests: SpanCollector["requests"] = [];
  const statuses: number[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { resourceSpans } = JSON.parse(await text(request)) as Received;
    const status = statuses.shift() ?? 200;
    const [first] = resourceSpans;
    const service = first?.resource.attributes.find(({ key }) => key === "service.name")?.value["stringValue"];
    requests.push({ path: request.url, headers: request.headers, service });
    if (status === 200)
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans)));
    response.writeHead(status).end("{}");
  };
  const server = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    requests,
    statuses,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
