// Translates lines: text to ids, a search, ids to text. `explain` tells what the model computed on the way.

import {Edits} from "./edits.js";
import {DELETE, END, START, SymbolDecoder, Transducer, UNK} from "./model.js";
import {decode, normalizer, penalty} from "./search.js";
import {Vocabulary, normalised} from "./vocabulary.js";

/** Feeds a path of ids: the log-probabilities of all ids after each, and the attention weights. */
function followed(model, state, path) {
  return path.slice(0, -1).map((id) => {
    const {logits, state: after, attention} = model.step(id, state);
    const total = normalizer(logits);
    state = after;
    return {logProbs: Array.from(logits, (logit) => logit - total), attention};
  });
}

/** Alternatives of one step, the most probable first; the chosen one is among them. */
function alternatives(entries, chosen, most) {
  const ordered = [...entries].sort((one, other) => other.probability - one.probability);
  const shown = ordered.slice(0, most);
  return shown.some((each) => each.symbol === chosen) ? shown : [...shown, entries.find((each) => each.symbol === chosen)];
}

const sum = (values) => values.reduce((total, each) => total + each, 0);

/** A translator with or without attention: writes symbol after symbol. */
class SymbolWriter {
  constructor(described, weights, vocabulary) {
    this.vocabulary = vocabulary;
    this.form = described.source_form;
    this.model = new SymbolDecoder(described.model, weights);
  }

  /** The row that the encoder reads: ids, and the symbol of each as people see it. */
  row({tags, ids, symbols}, names) {
    const text = [...tags.map((id) => ({id, shown: names[id]})), ...ids.map((id, place) => ({id, shown: symbols[place]}))];
    if (this.form.reversed) text.reverse();
    const fixed = (several) => several.map((id) => ({id, shown: names[id]}));
    const row = [...fixed(this.form.before), ...text, ...fixed(this.form.after)];
    const padding = fixed(Array(Math.max(0, this.form.length - row.length)).fill(this.form.fill));
    const padded = this.form.left ? [...padding, ...row] : [...row, ...padding];
    return padded.length ? padded : fixed([this.form.fill]);
  }

  start(reading, names) {
    return this.model.start(this.row(reading, names).map(({id}) => id));
  }

  decode(reading, names, options) {
    return decode(this.model, this.start(reading, names), options).map((one) => ({...one, symbols: one.ids.map((id) => this.vocabulary.names[id])}));
  }

  explained(reading, names, output, most) {
    const path = [START, ...output.ids, ...(output.finished ? [END] : [])];
    const steps = followed(this.model, this.start(reading, names), path);
    const name = (id) => (id === END ? null : this.vocabulary.names[id]);
    const symbols = steps.map(({logProbs}, place) => ({
      symbol: name(path[place + 1]), probability: Math.exp(logProbs[path[place + 1]]), forced: place < path.length - 1 - output.logProbs.length,
      alternatives: alternatives(logProbs.slice(END).map((each, index) => ({symbol: name(index + END), probability: Math.exp(each)})), name(path[place + 1]), most),
    }));
    return {symbols, attention: steps.some(({attention}) => attention) ? steps.map(({attention}) => Array.from(attention)) : null, actions: null, source: this.row(reading, names).map(({shown}) => shown)};
  }
}

/** A transducer: writes edits of the source; a text has the score of its canonical path. */
class EditWriter {
  constructor(described, weights, vocabulary) {
    this.vocabulary = vocabulary;
    this.model = new Transducer(described.model, weights);
    this.edits = new Edits(vocabulary.names, weights);
  }

  start(reading) {
    return this.model.start([...reading.ids, END], reading.tags.filter((tag) => tag !== UNK));
  }

  decode(reading, names, options) {
    if (options.prefix.includes(UNK)) throw new Error("prefix: expected symbols that the model can write");
    const limited = new LimitedEdits(this.model, this.edits, this.vocabulary, reading, options);
    const most = reading.ids.length + options.maxLength + 2;
    const {beamSize, lengthPenalty, temperature, topK, topP, minP, seed, line, sample} = options;
    const found = decode(limited, {inner: this.start(reading), written: 0, position: 0}, {maxLength: most, beamSize, lengthPenalty, temperature, topK, topP, minP, seed, line, sample});
    const outputs = [];
    for (const one of found.map((each) => this.scored(each, reading, options))) {
      const text = one.symbols.join("\0");
      if (options.beamSize === null || !outputs.some(({symbols}) => symbols.join("\0") === text)) outputs.push(one);
    }
    return outputs.sort((one, other) => other.rank - one.rank);
  }

  /** Cuts an output that is too long, and gives it the log-probabilities of its symbols. */
  scored(one, reading, {maxLength, prefix, lengthPenalty}) {
    const all = this.edits.apply(one.ids, reading.symbols), finished = all.length <= maxLength;
    let path = [START, ...one.ids], symbols = all;
    if (finished) path = this.edits.path(reading, this.target(all));
    else {
      const writing = one.ids.flatMap((action, place) => (this.edits.writes(action) ? [place] : []));
      path = [START, ...one.ids.slice(0, writing[maxLength - 1] + 1)];
      symbols = all.slice(0, maxLength);
    }
    const steps = followed(this.model, this.start(reading), path);
    const logProbs = bySymbol(path, steps.map(({logProbs: each}, place) => each[path[place + 1]])).slice(prefix.length);
    const score = sum(logProbs);
    return {symbols, path, ids: path.slice(1, finished ? -1 : undefined), logProbs, score, rank: score / penalty(logProbs.length, lengthPenalty), finished};
  }

  target(symbols) {
    return {symbols, ids: symbols.map((symbol) => this.vocabulary.ids.get(symbol) ?? UNK)};
  }

  explained(reading, names, output, most) {
    const {path} = output, steps = followed(this.model, this.start(reading), path);
    const symbols = [], actions = [], before = output.symbols.length + Number(output.finished) - output.logProbs.length;
    let position = 0, pending = 1;
    path.slice(1).forEach((action, place) => {
      const {logProbs} = steps[place], probability = Math.exp(logProbs[action]), symbol = this.edits.written(action, reading.symbols, position);
      actions.push({action: this.edits.kind(action), position, symbol, probability});
      pending *= probability;
      if (action !== DELETE) {
        symbols.push({symbol, probability: pending, forced: symbols.length < before, alternatives: alternatives(this.next(logProbs, reading.symbols, position), symbol, most)});
        pending = 1;
      }
      if (this.edits.moves(action)) position += 1;
    });
    return {symbols, attention: null, actions, source: [...reading.symbols, "<END>"]};
  }

  /** The probability of each next symbol: the sum over the actions that write it; an empty string is a deletion. */
  next(logProbs, source, position) {
    const totals = new Map();
    for (let action = END; action < logProbs.length; action++) {
      if (logProbs[action] === -Infinity) continue;
      const symbol = action === DELETE ? "" : this.edits.written(action, source, position);
      totals.set(symbol, (totals.get(symbol) ?? 0) + Math.exp(logProbs[action]));
    }
    return [...totals].map(([symbol, probability]) => ({symbol, probability}));
  }
}

/** The step of a transducer within limits in target symbols: a prefix, a least and a largest number. */
class LimitedEdits {
  constructor(model, edits, vocabulary, reading, {maxLength, minLength, prefix, notAfterPrefix}) {
    Object.assign(this, {model, edits, maxLength, least: Math.max(minLength, prefix.length), prefix, notAfterPrefix});
    this.copied = reading.symbols.map((symbol) => vocabulary.ids.get(symbol));
  }

  step(action, {inner, written, position}) {
    const {logits, state} = this.model.step(action, inner), {edits, prefix} = this;
    if (edits.writes(action)) written += 1;
    if (edits.moves(action)) position += 1;
    const allow = (kept) => logits.forEach((_, each) => kept(each) || (logits[each] = -Infinity));
    const copied = this.copied[position];
    if (written > this.maxLength) {
      logits.fill(-Infinity);
      logits[END] = 0;
    }
    if (written < this.least) logits[END] = -Infinity;
    if (written < prefix.length) {
      const next = prefix[written];
      allow((each) => each === DELETE || each === edits.substitute(next) || each === edits.insert(next) || (each === 4 && copied === next));
    } else if (written === prefix.length && this.notAfterPrefix.length) {
      const barred = new Set(this.notAfterPrefix.flatMap((id) => [edits.substitute(id), edits.insert(id)]));
      allow((each) => !barred.has(each) && !(each === 4 && this.notAfterPrefix.includes(copied)));
    }
    return {logits, state: {inner: state, written, position}, attention: null};
  }
}

/** Adds the log-probabilities of deletions to those of the next symbol that is written, or END. */
function bySymbol(path, logProbs) {
  const found = [];
  let pending = 0;
  path.slice(1).forEach((action, place) => {
    pending += logProbs[place];
    if (action === DELETE) return;
    found.push(pending);
    pending = 0;
  });
  return found;
}

export class Translator {
  constructor(described, weights) {
    this.described = described;
    this.source = new Vocabulary(described.source_vocabulary);
    this.target = new Vocabulary(described.target_vocabulary);
    this.writer = new (described.kind === "transducer" ? EditWriter : SymbolWriter)(described, weights, this.target);
  }

  /** The most symbols of an output: as seq2seq limits them. */
  mostSymbols(length, prefix, {maxLength, minLength = 0}) {
    const {source, target} = this.described.lengths;
    return maxLength ?? prefix + Math.max(minLength, Math.ceil(1.5 * target * Math.max(1, length / Math.max(source, 1))) + 5);
  }

  read(line) {
    return this.source.read(this.normalised(line));
  }

  normalised(line) {
    if (this.described.source_form.clean) return normalised(line, this.described.lowercase);
    const text = line.replace(/[\r\n]+$/, "");
    return this.described.lowercase ? text.toLowerCase() : text;
  }

  /** The outputs of a line, the best first: {text, symbols, logProbs, score, finished}. */
  outputs(line, {beamSize = null, lengthPenalty = 1, temperature = 0, topK = null, topP = 1, minP = 0, seed = 1, prefix = "", minLength = 0, maxLength, number = 1, sample = 0} = {}) {
    const reading = this.read(line);
    if (!reading.tags.length && !reading.ids.length) return [{text: "", symbols: [], ids: [], logProbs: [], score: 0, rank: 0, finished: true, reading}];
    const lower = this.described.lowercase ? prefix.toLowerCase() : prefix;
    const forced = this.target.read(lower.normalize("NFC")).ids;
    const options = {
      beamSize, lengthPenalty, temperature, topK, topP, minP, seed, line: number, sample, minLength, prefix: forced, notAfterPrefix: this.target.joining(this.target.join(forced.map((id) => this.target.names[id]))),
      maxLength: this.mostSymbols(reading.tags.length + reading.ids.length, forced.length, {maxLength, minLength}),
    };
    return this.writer.decode(reading, this.source.names, options).map((one) => ({...one, reading, text: this.target.join(one.symbols)}));
  }

  translate(line, options) {
    return this.outputs(line, options)[0].text;
  }

  /** The best output with each symbol's probability and `alternatives`, and where the model looked. */
  explain(line, {alternatives: most = 5, ...options} = {}) {
    const [best] = this.outputs(line, options);
    const shown = best.symbols.length || best.logProbs.length ? this.writer.explained(best.reading, this.source.names, best, most) : {symbols: [], attention: null, actions: null, source: []};
    return {model: this.described.name, kind: this.described.kind, text: best.text, finished: best.finished, score: best.score, seed: options.temperature ? (options.seed ?? 1) : null, tree: null, ...shown};
  }
}
