// What the page asks its service for, answered here by the model itself. A newer request of one kind stops the older one.

import {load} from "./seq2seq.js";

const MOST_PEAKS = 8, LEAST_PEAK = 0.01; // of the attention weights of a symbol
const FRAME = 16; // milliseconds between two looks at the screen while a text is written

const running = new Map();
const loading = load(new URL("../model/", import.meta.url));

/** An error with the words that the page shows. */
export class ServiceError extends Error {}

export const hasKey = () => false;

export const setKey = () => {};

export async function get(path) {
  if (path !== "models") throw new ServiceError(`${path}: needs the service, seq2seq serve`);
  const {described} = await loading;
  const {name, kind, examples} = described;
  return {models: [{id: name, kind, examples}], doctor: false, views: kind === "language model" ? ["write"] : ["translate", "compare"]};
}

/** Answers "explain"; a request with the same `slot` that still waits is stopped and returns null. */
export async function post(path, body, slot = path) {
  const mine = Symbol(slot);
  running.set(slot, mine);
  const model = await loading;
  await pause(); // the page is drawn, and what was typed meanwhile comes first
  if (running.get(slot) !== mine) return null;
  if (path !== "explain") throw new ServiceError(`${path}: needs the service, seq2seq serve`);
  try {
    const found = model.explain(body.q, optionsOf(body));
    return {...found, peaks: found.attention?.map(peaksOf) ?? null};
  } catch (error) {
    throw new ServiceError(error.message);
  }
}

/** Yields what a language model writes, in events as the service sends them. */
export async function* stream(path, body, signal) {
  const model = await loading;
  let shown = performance.now(), text = "";
  for (const symbol of model.stream(body.prompt || model.described.examples[0], {length: body.max_tokens, temperature: body.temperature, seed: body.seed})) {
    text += symbol;
    if (performance.now() - shown < FRAME) continue;
    yield {choices: [{text}]};
    await pause();
    signal?.throwIfAborted();
    [shown, text] = [performance.now(), ""];
  }
  yield {choices: [{text}]};
}

export const sendFiles = (path) => get(path);

const pause = () => new Promise((resume) => setTimeout(resume));

function optionsOf({prefix, alternatives, beam_size: beamSize, temperature, top_k: topK, top_p: topP, seed}) {
  const given = {prefix, alternatives, beamSize, temperature, topK, topP, seed};
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
}

function peaksOf(weights) {
  const [first, ...others] = weights.map((weight, place) => [place, weight]).sort((one, other) => other[1] - one[1]).slice(0, MOST_PEAKS);
  return [first, ...others.filter(([, weight]) => weight >= LEAST_PEAK)];
}
