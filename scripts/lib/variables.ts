import { z } from "zod";
import { variables as sequencerVariables } from "../../src/settings.ts";
import { variables as anchoringVariables } from "../../workers/anchor/src/settings.ts";
import { startVariables } from "./start-variables.ts";

/** What is said about a variable. */
export interface Variable {
  readonly name: string;
  /** What its value may be. */
  readonly form: string;
  /** What counts when it is not set; null when nothing does. */
  readonly fallback: string | null;
  readonly isRequired: boolean;
  readonly isSecret: boolean;
  /** What it is for: a sentence in Markdown, without its full stop. */
  readonly meaning: string;
}

/** The variables of each program, from the very schemas that check them. */
export const VARIABLES = {
  sequencer: variablesOf(sequencerVariables),
  anchoring: variablesOf(anchoringVariables),
  start: variablesOf(startVariables),
} as const;

/** @throws Error for a variable without a meaning */
function variablesOf(schema: z.ZodObject): readonly Variable[] {
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => {
    const { description: meaning, isSecret } = field.meta() ?? {};
    if (meaning === undefined) throw new Error(`${name}: what is it for? Describe it in its schema`);
    const facts = z.toJSONSchema(field, { io: "input", unrepresentable: "any" }) as {
      readonly form?: string;
      readonly enum?: readonly string[];
    };
    const { success: isOptional, data: fallback } = field.safeParse(undefined);
    return {
      name,
      form: facts.form ?? facts.enum?.join(" or ") ?? "text",
      fallback: fallback === undefined ? null : textOf(fallback),
      isRequired: !isOptional,
      isSecret: isSecret === true,
      meaning,
    };
  });
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
