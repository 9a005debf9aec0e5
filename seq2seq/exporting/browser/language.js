// Continues texts with a language model.

import {END, SymbolDecoder} from "./model.js";
import {search} from "./search.js";
import {Vocabulary} from "./vocabulary.js";

const WORDS = /\w+|[^\w\s]+|\s/gu;

export class LanguageModel {
  constructor(described, weights) {
    this.described = described;
    this.vocabulary = new Vocabulary(described.target_vocabulary);
    this.model = new SymbolDecoder(described.model, weights);
  }

  /** The ids of a prompt. */
  read(prompt) {
    const text = prompt.replaceAll("\r\n", "\n");
    const {ids} = this.vocabulary.read((this.described.lowercase ? text.toLowerCase() : text).replaceAll("\ufeff", "").normalize("NFC"));
    if (!ids.length) throw new Error("prompt: expected at least one symbol");
    return ids;
  }

  /** Yields the symbols that follow a prompt, each as soon as it is known. */
  * stream(prompt, {length = 400, temperature = 1, topK = null, topP = 1, minP = 0, seed = 1, sample = 0} = {}) {
    let state = this.model.start(), logits = null;
    for (const id of this.read(prompt)) ({logits, state} = this.model.step(id, state));
    const options = {firstLogits: logits, allowEnd: false, maxLength: length, temperature, topK, topP, minP, seed, line: sample + 1, sample: 0};
    for (const [slot] of search(this.model, state, options)) yield this.vocabulary.names[slot.ids.at(-1)];
  }

  generate(prompt, options) {
    return prompt + [...this.stream(prompt, options)].join("");
  }
}
