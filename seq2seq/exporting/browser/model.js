// The step functions: an encoder, and three decoders (attention, transducer, language model). One hypothesis at a time.

import {addProduct, dot, joined, product, rowsOf, tanhAll, transposed} from "./weights.js";

export const PAD = 0, UNK = 1, START = 2, END = 3, SPECIAL_COUNT = 4;
export const COPY = 4, DELETE = 5, FIRST_SUB = 6;

const sigmoid = (value) => 0.5 * (Math.tanh(0.5 * value) + 1);

/** One step of an LSTM layer; gates in the order of Keras: i, f, g, o. */
class Lstm {
  states = 2;

  constructor(weights, name) {
    [this.kernel, this.recurrent, this.bias] = ["kernel", "recurrent_kernel", "bias"].map((part) => weights[`${name}.${part}`]);
    this.units = this.recurrent.shape[0];
  }

  project(row) {
    return product(row, this.kernel, this.bias);
  }

  /** Takes a projected input (4H), which is changed, and the states h and c (H each); returns the next two. */
  step(gates, [hidden, cell]) {
    const units = this.units, nextHidden = new Float32Array(units), nextCell = new Float32Array(units);
    addProduct(hidden, this.recurrent, gates);
    for (let unit = 0; unit < units; unit++) {
      const kept = sigmoid(gates[units + unit]) * cell[unit] + sigmoid(gates[unit]) * Math.tanh(gates[2 * units + unit]);
      nextCell[unit] = kept;
      nextHidden[unit] = sigmoid(gates[3 * units + unit]) * Math.tanh(kept);
    }
    return [nextHidden, nextCell];
  }
}

/** One step of a GRU layer; gates in the order of Keras: z, r, h, with the reset after the product. */
class Gru {
  states = 1;

  constructor(weights, name) {
    [this.kernel, this.recurrent] = ["kernel", "recurrent_kernel"].map((part) => weights[`${name}.${part}`]);
    this.units = this.recurrent.shape[0];
    const bias = weights[`${name}.bias`];
    [this.bias, this.recurrentBias] = [0, 1].map((row) => ({values: rowsOf(bias, row, 1).values}));
  }

  project(row) {
    return product(row, this.kernel, this.bias);
  }

  step(projected, [hidden]) {
    const units = this.units, next = new Float32Array(units), recurrent = product(hidden, this.recurrent, this.recurrentBias);
    for (let unit = 0; unit < units; unit++) {
      const update = sigmoid(projected[unit] + recurrent[unit]);
      const reset = sigmoid(projected[units + unit] + recurrent[units + unit]);
      const candidate = Math.tanh(projected[2 * units + unit] + reset * recurrent[2 * units + unit]);
      next[unit] = update * hidden[unit] + (1 - update) * candidate;
    }
    return [next];
  }
}

const cellOf = (config, weights, name) => new (config.rnn === "gru" ? Gru : Lstm)(weights, name);

const zerosOf = (cell) => Array.from({length: cell.states}, () => new Float32Array(cell.units));

/** What the first layer reads of a symbol depends on the symbol alone; computed once for each. */
class SymbolTable {
  constructor(cell, embeddings, beside = 0) {
    this.cell = cell;
    this.embeddings = embeddings;
    this.beside = new Float32Array(beside); // zeros in place of what the cell reads beside the symbol
    this.known = new Map();
  }

  at(id) {
    if (!this.known.has(id)) this.known.set(id, this.cell.project(joined(rowsOf(this.embeddings, id, 1).values, this.beside)));
    return Float32Array.from(this.known.get(id));
  }
}

/** Reads a source, ids with END: the memory (a row for each id), and the states that the decoder starts with. */
class Encoder {
  constructor(config, weights) {
    this.config = config;
    this.weights = weights;
    this.ways = config.bidirectional ? ["_forward", "_backward"] : [""];
    this.layers = Array.from({length: config.encoder_layers}, (_, index) => this.ways.map((way) => cellOf(config, weights, `encoder_${index}${way}`)));
    this.tables = this.layers[0].map((cell) => new SymbolTable(cell, weights["source_embedding.embeddings"]));
  }

  read(ids) {
    let memory = null;
    const last = this.layers.map((cells, layer) => {
      const read = cells.map((cell, way) => this.run(cell, ids.map((id, place) => (memory ? cell.project(memory[place]) : this.tables[way].at(id))), way === 1));
      memory = ids.map((_, place) => joined(...read.map(({outputs}) => outputs[place])));
      return this.bridged(layer, read.map(({states}) => states));
    });
    const none = last[0].map((state) => new Float32Array(state.length));
    return {memory, states: this.config.wired.flatMap((layer) => (layer === null ? none : last[layer]))};
  }

  run(cell, projected, backwards) {
    const outputs = new Array(projected.length);
    let states = zerosOf(cell);
    for (let time = 0; time < projected.length; time++) {
      const place = backwards ? projected.length - 1 - time : time;
      states = cell.step(projected[place], states);
      outputs[place] = states[0];
    }
    return {outputs, states};
  }

  /** Turns the last states of all directions into states of the decoder. */
  bridged(layer, states) {
    return states[0].map((_, position) => {
      const both = joined(...states.map((each) => each[position]));
      if (this.config.bridge === "none" || !this.config.bidirectional || !this.config.wired.includes(layer)) return both;
      const name = `bridge_${layer}_${"hc"[position]}`;
      const state = product(both, this.weights[`${name}.kernel`], this.weights[`${name}.bias`]);
      return position === 0 ? tanhAll(state) : state;
    });
  }
}

/** The recurrent layers of a decoder, one above the other. */
class Layers {
  constructor(config, weights) {
    this.cells = Array.from({length: config.layers}, (_, index) => cellOf(config, weights, `decoder_${index}`));
  }

  zeros() {
    return this.cells.flatMap(zerosOf);
  }

  /** Takes the projected input of the first layer; returns the last layer's output and all next states. */
  step(projected, states) {
    const after = [];
    let output = null;
    this.cells.forEach((cell, index) => {
      const mine = states.slice(index * cell.states, (index + 1) * cell.states);
      const next = cell.step(index ? cell.project(output) : projected, mine);
      output = next[0];
      after.push(...next);
    });
    return {output, states: after};
  }
}

/** A decoder that writes symbol after symbol; with attention to a memory, or without (a language model has no source). */
export class SymbolDecoder {
  constructor(config, weights) {
    this.config = config;
    this.layers = new Layers(config, weights);
    this.table = new SymbolTable(this.layers.cells[0], weights["target_embedding.embeddings"]);
    this.weights = weights;
    if (config.source) this.encoder = new Encoder(config, weights);
    if (!config.source || config.attention === "none") return;
    const combine = weights["combine.kernel"], memorySize = combine.shape[0] - config.units;
    this.keyKernel = config.attention === "luong" ? transposed(weights["attention.kernel"]) : weights["attention.memory_kernel"];
    this.valueKernel = rowsOf(combine, 0, memorySize);
    this.queryKernel = rowsOf(combine, memorySize);
  }

  start(ids = []) {
    if (!this.config.source) return {states: this.layers.zeros(), shared: null};
    const {memory, states} = this.encoder.read(ids);
    if (this.config.attention === "none") return {states, shared: null};
    return {states, shared: {keys: memory.map((row) => product(row, this.keyKernel)), values: memory.map((row) => product(row, this.valueKernel))}};
  }

  /** Reads one id; returns logits (V), the next state, and the attention weights (S) or null. */
  step(id, {states, shared}) {
    const {output, states: after} = this.layers.step(this.table.at(id), states);
    const [combined, attention] = shared ? this.attend(output, shared) : [output, null];
    return {logits: product(combined, this.weights["logits.kernel"], this.weights["logits.bias"]), state: {states: after, shared}, attention};
  }

  attend(output, {keys, values}) {
    const attention = Float32Array.from(this.scores(output, keys));
    const largest = Math.max(...attention);
    let sum = 0;
    for (let place = 0; place < attention.length; place++) sum += attention[place] = Math.exp(attention[place] - largest);
    const combined = product(output, this.queryKernel, this.weights["combine.bias"]);
    attention.forEach((_, place) => {
      const weight = (attention[place] /= sum), value = values[place];
      for (let unit = 0; unit < combined.length; unit++) combined[unit] += weight * value[unit];
    });
    return [tanhAll(combined), attention];
  }

  scores(output, keys) {
    if (this.config.attention === "luong") return keys.map((key) => dot(output, key));
    const query = product(output, this.weights["attention.query_kernel"], this.weights["attention.bias"]);
    const vector = this.weights["attention.vector"].values;
    return keys.map((key) => dot(tanhAll(key.map((each, unit) => each + query[unit])), vector));
  }
}

/** A decoder that holds a position in the source and writes edits; impossible ones have the logit minus infinity. */
export class Transducer {
  constructor(config, weights) {
    this.config = config;
    this.encoder = new Encoder(config, weights);
    this.layers = new Layers(config, weights);
    this.weights = weights;
    const table = weights["action_embedding.embeddings"], kernel = this.layers.cells[0].kernel;
    [this.actions] = table.shape;
    this.firstInsertion = FIRST_SUB + (this.actions - FIRST_SUB) / 2;
    this.table = new SymbolTable(this.layers.cells[0], table, kernel.shape[0] - table.shape[1]);
    this.besideGates = rowsOf(kernel, table.shape[1]);
    [this.combine, this.besideCombine] = [rowsOf(weights["combine.kernel"], 0, config.units), rowsOf(weights["combine.kernel"], config.units)];
  }

  moves(action) {
    return (action >= COPY && action < this.firstInsertion) || action === UNK;
  }

  start(ids, tags = []) {
    const {memory, states} = this.encoder.read(ids);
    const table = this.weights["tag_embedding.embeddings"];
    const sum = new Float32Array(table ? table.shape[1] : 0);
    for (const tag of tags) rowsOf(table, tag, 1).values.forEach((value, unit) => (sum[unit] += value));
    return {position: 0, states, shared: memory.map((row) => ({row: joined(row, sum)}))};
  }

  /** What is read beside the action at a position, computed when the position is reached. */
  at(place) {
    place.gates ??= product(place.row, this.besideGates);
    place.hidden ??= product(place.row, this.besideCombine, this.weights["combine.bias"]);
    return place;
  }

  /** Takes one action; returns logits (A) and the next state. */
  step(action, state) {
    const last = state.shared.length - 1;
    const position = Math.min(state.position + (this.moves(action) ? 1 : 0), last);
    const {gates, hidden} = this.at(state.shared[position]);
    const projected = this.table.at(action);
    for (let unit = 0; unit < projected.length; unit++) projected[unit] += gates[unit];
    const {output, states} = this.layers.step(projected, state.states);
    const combined = tanhAll(addProduct(output, this.combine, Float32Array.from(hidden)));
    const logits = product(combined, this.weights["logits.kernel"], this.weights["logits.bias"]);
    logits[PAD] = -Infinity;
    if (position < last) logits[END] = -Infinity;
    else for (let each = 0; each < this.actions; each++) if (this.moves(each)) logits[each] = -Infinity;
    return {logits, state: {position, states, shared: state.shared}, attention: null};
  }
}
