import { AgentError } from "../../errors.ts";
import { pinSequencerKeys } from "../../trust.ts";
import { command } from "../command.ts";
import { writeConfig } from "../config.ts";
import { readKeys } from "../sequencer-keys.ts";
import { believedKeys, withStore } from "../session.ts";
import { lines } from "../text.ts";

/** Believes another key of the sequencer. */
export const keysTrust = command({
  name: "keys trust",
  summary: "believe a new key of the sequencer, once its operator has said that it is theirs",
  about: `Believes a key of the sequencer beside those that are believed already: VERSION=KEY, a number and 64
hex digits, as errors and doctor show it. Compare it first with what the sequencer's operator says by
another way: whoever can answer in the sequencer's place shows a key of his own. Needs no network. The
same again changes nothing; another key under a version that is believed is refused.
`,
  args: ["VERSION=KEY"],
  run: (call, _options, [given = ""]) => {
    const keys = readKeys([given], "keys trust");
    return withStore(call, (session) => {
      const { config, store } = session;
      const before = believedKeys(session);
      const [[name, publicKey] = ["", ""]] = Object.entries(keys);
      const version = Number(name);
      const known = before[version];
      if (known !== undefined && known !== publicKey) {
        throw new AgentError("SEQUENCER_KEY_CHANGED", `Another key of version ${version} is believed: ${known}`);
      }
      // Keys that were given are the only ones believed: it is to be one of them.
      if (config.sequencerKeys === undefined) pinSequencerKeys(store, config, [{ version, publicKey }]);
      else writeConfig(call.files, { ...config, sequencerKeys: { ...config.sequencerKeys, ...keys } });
      const isNew = known === undefined;
      return {
        json: { version, publicKey, isNew },
        text: lines(
          `The sequencer's key of version ${version} ${isNew ? "is believed from now on" : "was believed already"}.`,
        ),
      };
    });
  },
});
