import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** As much of an OpenAPI document as checking answers takes. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Operation {
  readonly security: readonly unknown[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>
  >;
}

/** An answer to a request, whose path is as the document writes it. */
export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
}

const ID = "https://sequencer.invalid/openapi.json";

/**
 * What finds the difference between an answer and a document, by a validator of JSON Schema that is not ours; undefined
 * when there is none. It is strict: a keyword that it does not know is an error too.
 */
export function answerChecker(document: Document): (answer: Answer) => string | undefined {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  addFormats.default(ajv);
  // What a document has beside its schemas.
  ajv.addVocabulary(["openapi", "info", "paths", "components"]);
  ajv.addSchema({ ...document, $id: ID });
  return ({ method, path, status, contentType, text }) => {
    const name = `${method} ${path} answers ${status}`;
    const response = document.paths[path]?.[method.toLowerCase()]?.responses[status];
    if (response === undefined) return `${name}, which is not documented`;
    const mediaType = contentType?.split(";", 1)[0] ?? "nothing";
    if (response.content?.[mediaType] === undefined) return `${name} with ${mediaType}, which is not documented`;
    const steps = ["paths", path, method.toLowerCase(), "responses", String(status), "content", mediaType, "schema"];
    const validate = ajv.compile({ $ref: `${ID}#/${steps.map(pointerStep).join("/")}` });
    const body: unknown = mediaType === "application/json" ? JSON.parse(text) : text;
    return validate(body) ? undefined : `${name} in another form: ${ajv.errorsText(validate.errors)}`;
  };
}

function pointerStep(step: string): string {
  return encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"));
}
