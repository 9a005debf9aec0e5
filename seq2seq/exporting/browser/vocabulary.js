// Lines become ids, and ids become text.

import {SPECIAL_COUNT, UNK} from "./model.js";

const NAMES = ["<PAD>", "<UNK>", "<START>", "<END>"];

/** NFC, plain spaces, straight apostrophes, no byte order mark. */
export const clean = (text) => text.replaceAll("\ufeff", "").normalize("NFC").replaceAll("\u2019", "'").replace(/[\u00a0\u2009\u202f]/g, " ");

/** Removes what Python's `strip` removes: JavaScript's `trim` leaves U+001C to U+001F and U+0085. */
const strip = (text) => text.replace(/^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/g, "");

/** A line as the training data was read; of `source<TAB>tags` each side by itself, and tags keep their case. */
export function normalised(line, lowercase) {
  const [text, ...rest] = clean(line).split("\t"), tags = strip(rest.join("\t"));
  const source = strip(lowercase ? text.toLowerCase().normalize("NFC") : text);
  return tags ? `${source}\t${tags}` : source;
}

export class Vocabulary {
  constructor({symbols, separator = "", features_sep: featuresSeparator = "", decompose = false}) {
    Object.assign(this, {symbols, separator, featuresSeparator, decompose});
    this.names = [...NAMES, ...symbols];
    this.ids = new Map(symbols.map((symbol, place) => [symbol, SPECIAL_COUNT + place]));
  }

  /** Splits a line: tags, and symbols of the text. */
  split(line) {
    const tab = this.featuresSeparator ? line.indexOf("\t") : -1;
    if (tab < 0) return {tags: [], symbols: this.segment(line)};
    const tags = line.slice(tab + 1).split(this.featuresSeparator).map(strip).filter(Boolean);
    return {tags: tags.map((tag) => `<${tag}>`), symbols: this.segment(line.slice(0, tab))};
  }

  segment(text) {
    if (this.separator) return text.split(this.separator).filter(Boolean);
    return [...(this.decompose ? text.normalize("NFD") : text)];
  }

  /** Ids of tags and text, and for each id of the text what a copy of it writes; an unknown symbol becomes a similar one. */
  read(line) {
    const {tags, symbols} = this.split(line);
    const read = symbols.flatMap((symbol) => this.replaced(symbol));
    return {tags: tags.flatMap((tag) => this.replaced(tag)).map(({id}) => id), ids: read.map(({id}) => id), symbols: read.map(({copy}) => copy)};
  }

  replaced(symbol) {
    if (this.ids.has(symbol)) return [{id: this.ids.get(symbol), copy: symbol}];
    const known = this.similar(symbol);
    if (!known) return [{id: UNK, copy: symbol}];
    return known.map((each) => ({id: this.ids.get(each), copy: known.length === 1 ? symbol : each}));
  }

  /** The first known one of a symbol's compatibility form and its base letter, each in both cases; null: none. */
  similar(symbol) {
    const compatible = symbol.normalize("NFKC"), base = symbol.normalize("NFKD").replace(/\p{Mn}/gu, "");
    const atomic = this.separator || [...symbol].length > 1;
    for (const form of [compatible, base].flatMap((each) => [each, each.toLowerCase().normalize("NFC"), each.toUpperCase().normalize("NFC")])) {
      const known = atomic || this.ids.has(form) ? [form] : this.segment(form);
      if (form && known.every((part) => this.ids.has(part))) return known;
    }
    return /^\p{Mn}$/u.test(symbol) ? [] : null;
  }

  join(symbols) {
    const text = symbols.join(this.separator);
    return this.decompose && !this.separator ? text.normalize("NFC") : text;
  }

  /** Ids that would change the last character of a text: accents, and parts of syllables. */
  joining(text) {
    if (!text || !this.decompose || this.separator) return [];
    const last = [...text].pop();
    const joins = (symbol) => /^\p{M}/u.test(symbol) || !(last + symbol).normalize("NFC").startsWith(last);
    return this.symbols.flatMap((symbol, place) => (joins(symbol) ? [SPECIAL_COUNT + place] : []));
  }
}
