// One loop for greedy decoding, sampling and beams: a step function and a strategy in, hypotheses out.

import {END, PAD, START} from "./model.js";
import {uniforms} from "./draws.js";

/** The log of the sum of exp over all logits, nats. */
export function normalizer(logits) {
  let largest = -Infinity, sum = 0;
  for (const logit of logits) if (logit > largest) largest = logit;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return Math.log(sum) + largest;
}

export const penalty = (length, lengthPenalty) => Math.max(length, 1) ** lengthPenalty;

function best(logits, first) {
  let found = first;
  for (let id = first + 1; id < logits.length; id++) if (logits[id] > logits[found]) found = id;
  return found;
}

/** Temperature, then top-k, top-p and min-p, on the ids from `first` on; then the inverse of the cumulative distribution. */
function drawn(logits, first, {temperature, topK, topP, minP}, uniform) {
  const ids = Array.from({length: logits.length - first}, (_, index) => index + first);
  const largest = logits[best(logits, first)];
  const tempered = new Map(ids.map((id) => [id, (logits[id] - largest) / temperature]));
  let kept = [...ids].sort((one, other) => tempered.get(other) - tempered.get(one) || one - other);
  if (topK) kept = kept.slice(0, topK);
  if (topP < 1) {
    const total = kept.reduce((sum, id) => sum + Math.exp(tempered.get(id)), 0);
    let sum = 0;
    const reached = kept.findIndex((id) => (sum += Math.exp(tempered.get(id))) >= (topP - 1e-12) * total);
    kept = kept.slice(0, reached + 1);
  }
  if (minP > 0) kept = kept.filter((id) => tempered.get(id) >= Math.log(minP) - 1e-12);
  kept.sort((one, other) => one - other);
  let sum = 0;
  const cumulative = kept.map((id) => (sum += Math.exp(tempered.get(id))));
  return kept[cumulative.findIndex((each) => each > uniform * sum)];
}

/**
 * Decodes one source; yields the slots after each step.
 *
 * model.step(id, state) gives logits and the next state. Options: maxLength and minLength in symbols with the prefix,
 * prefix and notAfterPrefix (ids), allowEnd, beamSize, lengthPenalty, temperature, topK, topP, minP, seed, line,
 * sample (from 0), and start: the slot that is continued, with its logits.
 */
export function* search(model, state, options) {
  const {maxLength, minLength = 0, prefix = [], notAfterPrefix = [], allowEnd = true, beamSize = null, lengthPenalty = 1, temperature = 0, line = 1, sample = 0, seed = 0} = options;
  const draw = temperature ? uniforms(seed, line, sample) : null;
  let slots = [{fed: START, state, logits: options.firstLogits ?? null, ids: [], logProbs: [], score: 0, ended: false, finished: false}];
  for (let step = 0; step < maxLength + (allowEnd ? 1 : 0); step++) {
    for (const slot of slots) {
      if (slot.ended) continue;
      if (step || !slot.logits) Object.assign(slot, model.step(slot.fed, slot.state));
      slot.normalizer = normalizer(slot.logits);
      if (Number.isNaN(slot.normalizer)) throw new Error("expected finite logits; the weights are damaged");
    }
    const first = allowEnd && step >= minLength ? END : END + 1;
    const uniform = draw?.(step);
    if (step < prefix.length) slots = slots.map((slot) => extended(slot, prefix[step], true));
    else {
      if (step && step === prefix.length) for (const slot of slots) slot.logits = without(slot.logits, notAfterPrefix);
      const closing = allowEnd && step === maxLength;
      if (closing) slots = slots.map((slot) => closed(slot, temperature ? drawn(slot.logits, first, options, uniform) : slot.ended ? END : best(slot.logits, first)));
      else if (temperature) slots = slots.map((slot) => extended(slot, drawn(slot.logits, first, options, uniform)));
      else if (beamSize === null) slots = slots.map((slot) => extended(slot, best(slot.logits, first)));
      else slots = widest(slots, first, beamSize, lengthPenalty);
    }
    yield slots;
    if (slots.every((slot) => slot.ended)) return;
  }
}

const without = (logits, ids) => logits.map((logit, id) => (ids.includes(id) ? -Infinity : logit));

function extended(slot, id, forced = false) {
  const logProb = slot.logits[id] - slot.normalizer, ends = id === END;
  return {
    fed: id, state: slot.state, attention: slot.attention, logits: null, parent: slot,
    ids: ends ? slot.ids : [...slot.ids, id],
    logProbs: forced ? slot.logProbs : [...slot.logProbs, logProb],
    score: slot.score + (forced ? 0 : logProb), ended: ends, finished: ends,
  };
}

const closed = (slot, id) => (slot.ended ? slot : id === END ? extended(slot, END) : {...slot, ended: true});

/** The best hypotheses by rank: ended ones as they are, others with each next id; of equal ones the first. */
function widest(slots, first, width, lengthPenalty) {
  const ranks = [];
  slots.forEach((slot, place) => {
    if (slot.ended) ranks.push({rank: slot.score / penalty(slot.logProbs.length, lengthPenalty), place, id: PAD});
    else {
      const divisor = penalty(slot.logProbs.length + 1, lengthPenalty);
      for (let id = first; id < slot.logits.length; id++) ranks.push({rank: (slot.logits[id] - slot.normalizer + slot.score) / divisor, place, id});
    }
  });
  const kept = ranks.filter(({rank}) => rank > -Infinity).sort((one, other) => other.rank - one.rank || one.place - other.place || one.id - other.id);
  return kept.slice(0, width).map(({place, id}) => (id === PAD ? slots[place] : extended(slots[place], id)));
}

/** Decodes to the end: hypotheses {ids, logProbs, score, rank, finished}, for a beam the best first. */
export function decode(model, state, options) {
  let slots = [];
  for (slots of search(model, state, options));
  const found = slots.map((slot) => ({...slot, rank: slot.score / penalty(slot.logProbs.length, options.lengthPenalty ?? 1)}));
  return found.sort((one, other) => other.rank - one.rank);
}
