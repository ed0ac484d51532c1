import type { Server } from "../../../scripts/lib/client.ts";

/** What /metrics shows to the bootstrap administrator, by series. */
export async function scrape({ url, apiKey }: Server): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `ApiKey ${apiKey}` } });
  if (!response.ok) throw new Error(`/metrics answered with status ${response.status}`);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}
