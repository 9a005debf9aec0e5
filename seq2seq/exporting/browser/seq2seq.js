// Runs a model that `seq2seq export --format web` wrote, in any browser or JavaScript runtime, without a server.

import {LanguageModel} from "./language.js";
import {Translator} from "./translator.js";
import {readTensors} from "./weights.js";

/** Loads the model of a folder that ends with "/": a Translator, or a LanguageModel. */
export async function load(folder = "./") {
  const at = (name) => new URL(name, new URL(folder, globalThis.location?.href ?? import.meta.url));
  const [described, weights] = await Promise.all([fetched(at("model.json")).then((answer) => answer.json()), fetched(at("weights.bin")).then((answer) => answer.arrayBuffer())]);
  return modelOf(described, weights);
}

/** Makes a model of the content of model.json and the bytes of weights.bin. */
export function modelOf(described, weights) {
  const tensors = readTensors(described.tensors, weights);
  return new (described.kind === "language model" ? LanguageModel : Translator)(described, tensors);
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
  return answer;
}
