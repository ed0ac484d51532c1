/** A public key of the sequencer as it is handed on, `VERSION=KEY`: its version, and 64 hex digits. `undefined` for anything else. */
export function readSequencerKey(text: string): readonly [version: number, hex: string] | undefined {
  const [, version, hex] = /^(\d{1,9})=(?:0x)?([0-9a-f]{64})$/i.exec(text) ?? [];
  return version === undefined || hex === undefined ? undefined : [Number(version), hex.toLowerCase()];
}
