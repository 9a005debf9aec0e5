// What edit actions write, and the canonical path of a pair: the most probable edits by the learnt edit distance.

import {COPY, DELETE, END, FIRST_SUB, SPECIAL_COUNT, START, UNK} from "./model.js";

const GRAIN = 1e-4; // nats: differences below it do not count, and substitutions come first, then deletions

export class Edits {
  /** `names` are the target's symbols by id; `weights` has the log-probabilities of the edits. */
  constructor(names, weights) {
    this.names = names;
    this.count = names.length - SPECIAL_COUNT; // symbols that can be written
    this.firstInsertion = FIRST_SUB + this.count;
    [this.substitution, this.deletion, this.insertion] = ["substitution", "deletion", "insertion"].map((part) => weights[`edit_distance.${part}`]);
  }

  moves = (action) => (action >= COPY && action < this.firstInsertion) || action === UNK;

  writes = (action) => action === COPY || action >= FIRST_SUB;

  /** The symbol that an action writes at a position of the source; null: none. */
  written(action, source, position) {
    if (action === COPY) return source[position];
    return action >= FIRST_SUB ? this.names[SPECIAL_COUNT + ((action - FIRST_SUB) % this.count)] : null;
  }

  kind(action) {
    if (action === END) return "end";
    if (action === DELETE) return "delete";
    if (action === COPY) return "copy";
    return action < this.firstInsertion ? "substitute" : "insert";
  }

  substitute = (id) => (id === UNK ? UNK : FIRST_SUB - SPECIAL_COUNT + id);

  insert = (id) => (id === UNK ? START : this.firstInsertion - SPECIAL_COUNT + id);

  apply(actions, source) {
    const found = [];
    let position = 0;
    for (const action of actions) {
      const symbol = this.written(action, source, position);
      if (symbol !== null) found.push(symbol);
      if (this.moves(action)) position += 1;
    }
    return found;
  }

  /** The canonical actions of a pair, with START and END. Source and target: {ids, symbols}. */
  path(source, target) {
    const height = source.ids.length, width = target.ids.length, across = width + 1;
    const whole = (logProb) => Math.round(logProb / GRAIN);
    const best = new Float64Array((height + 1) * across).fill(-Infinity), choice = new Int8Array(best.length);
    best[best.length - 1] = 0;
    for (let i = height; i >= 0; i--) {
      for (let j = width; j >= 0; j--) {
        if (i === height && j === width) continue;
        const here = i * across + j;
        const ways = [
          i < height && j < width ? whole(this.substitution.values[source.ids[i] * this.substitution.shape[1] + target.ids[j]]) + best[here + across + 1] : -Infinity,
          i < height ? whole(this.deletion.values[source.ids[i]]) + best[here + across] : -Infinity,
          j < width ? whole(this.insertion.values[target.ids[j]]) + best[here + 1] : -Infinity,
        ];
        choice[here] = ways.indexOf(Math.max(...ways));
        best[here] = ways[choice[here]];
      }
    }
    const actions = [START];
    let i = 0, j = 0;
    while (i < height || j < width) {
      const chosen = choice[i * across + j];
      if (chosen === 0) actions.push(source.symbols[i] === target.symbols[j] ? COPY : this.substitute(target.ids[j]));
      else actions.push(chosen === 1 ? DELETE : this.insert(target.ids[j]));
      if (chosen !== 2) i += 1;
      if (chosen !== 1) j += 1;
    }
    return [...actions, END];
  }
}
