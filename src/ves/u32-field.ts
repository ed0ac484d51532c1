import { z } from "zod";

/** An unsigned 32-bit number. */
export const u32Field = z.int().min(0).max(0xffff_ffff).meta({ description: "Unsigned 32-bit integer" });
