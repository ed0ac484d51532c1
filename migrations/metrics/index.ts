import type { Migration } from "../migration.ts";
import { metrics } from "./0001_metrics.ts";

/** Schema of a Metrics object, in order of application. */
export const metricsMigrations: readonly Migration[] = [metrics];
