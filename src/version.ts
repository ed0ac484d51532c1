import manifest from "../package.json" with { type: "json" };

export const SERVICE = "stateset-sequencer";
export const VERSION: string = manifest.version;
