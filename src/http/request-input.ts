import { z } from "zod";
import { type FieldProblem, RequestError } from "../errors.ts";
import { concat, type JsonValue, parseJson, VesError } from "../ves/index.ts";
import type { AppContext } from "./context.ts";

/** Refuses a URL of which only a part could be decoded. @throws RequestError with status 400 */
export function checkUrlEncoding(url: string): void {
  try {
    decodeURIComponent(url);
  } catch {
    throw new RequestError("INVALID_FIELD_VALUE", "The URL is not percent-encoded UTF-8");
  }
}

/** Path parts and query parameters, against their schema. @throws RequestError with status 400 */
export function parseParameters<Schema extends z.ZodType>(
  schema: Schema,
  values: Readonly<Record<string, string>>,
): z.output<Schema> {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const details = fieldProblems(parsed.error);
  const isMissing = details.some(({ path }) => values[path] === undefined);
  throw new RequestError(isMissing ? "MISSING_REQUIRED_FIELD" : "INVALID_FIELD_VALUE", summary(details), { details });
}

/** A JSON body, against its schema. @throws RequestError with status 422 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const details = fieldProblems(parsed.error);
  throw new RequestError("UNPROCESSABLE", summary(details), { details });
}

/**
 * Reads a JSON body as VES 1.1 wants it read. Members at its top may be named in snake_case too.
 *
 * @throws RequestError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, MALFORMED_JSON
 */
export async function readJsonBody(c: AppContext, maxBytes: number = Infinity): Promise<JsonValue> {
  const mediaType = c.req.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (!/^application\/(json|[\w.-]+\+json)$/.test(mediaType)) {
    throw new RequestError("UNSUPPORTED_MEDIA_TYPE", "The body must be JSON: send Content-Type: application/json");
  }
  const encoding = c.req.header("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity") {
    throw new RequestError(
      "UNSUPPORTED_MEDIA_TYPE",
      `Content-Encoding ${encoding} is not accepted: send the body as it is`,
    );
  }
  const bytes = await readBytes(c.req.raw, Math.min(maxBytes, c.get("config").maxBodyBytes));
  let text: string;
  try {
    // A byte order mark is no JSON; keeping it makes the parser say so.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("not valid UTF-8");
  }
  try {
    return withCamelNames(parseJson(text));
  } catch (error) {
    if (error instanceof VesError) throw malformed(error.message);
    throw error;
  }
}

/** The body, if it is no longer than `maxBytes`; one of undeclared length is read no further than that. */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): RequestError => new RequestError("PAYLOAD_TOO_LARGE", `A body may have ${maxBytes} bytes`);
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    if (Number(declared) > maxBytes) throw tooLarge();
    return new Uint8Array(await request.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return concat(...chunks);
}

function malformed(message: string): RequestError {
  return new RequestError("MALFORMED_JSON", `The body is not well-formed JSON: ${message}`);
}

function withCamelNames(body: JsonValue): JsonValue {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const camel = Object.entries(body).map(([name, value]): [string, JsonValue] => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  // What is given in camelCase as well stands, unless it is null, which counts as absent.
  const given = Object.entries(body).filter(([, value]) => value !== null);
  return { ...body, ...Object.fromEntries(camel), ...Object.fromEntries(given) };
}

function fieldProblems(error: z.ZodError): FieldProblem[] {
  return error.issues.slice(0, 20).map(({ path, message }) => ({ path: path.join("."), message }));
}

function summary([first]: readonly FieldProblem[]): string {
  if (first === undefined) return "The request is not of the expected form";
  return first.path === "" ? first.message : `${first.path}: ${first.message}`;
}
