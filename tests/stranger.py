"""A program that knows an ONNX export by its description alone: greedy, beams and scores, one line at a time.

It shares nothing with the package. Each part follows a sentence of the export's README.md.
"""

import json
import math
import unicodedata

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

START, END, COPY, DELETE = 2, 3, 4, 5


def normal(form, text):
    return unicodedata.normalize(form, text)


class Stranger:
    """Reads an export; `outputs` gives (text, score) of each hypothesis, the best first."""

    def __init__(self, folder):
        self.model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.encoder, self.step = (
            onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("encoder", "step")
        )
        self.source, self.target = (self.model[f"{side}_vocabulary"] for side in ("source", "target"))
        self.ids = {symbol: token for token, symbol in enumerate(self.source["symbols"], 4)}
        self.states = {port.name for port in self.step.get_inputs() if port.shape[0] == "N"}
        self.acts = self.model["writes"] == "actions"
        if self.acts:
            self.edits = {
                name.partition(".")[2]: np.rint(values.astype(np.float64) / 1e-4)
                for name, values in load_file(folder / "edits.safetensors").items()
            }

    # text

    def read(self, line):
        """Returns the ids of the tags, those of the symbols, and what a copy of each symbol writes."""
        line = normal("NFC", line.translate(str.maketrans(self.model["text"]["replace"])))
        tags = ""
        if self.source["features_sep"]:
            line, _, tags = line.partition("\t")
        if self.model["text"]["lowercase"]:
            line = normal("NFC", line.lower())
        named = [f"<{tag.strip()}>" for tag in tags.split(self.source["features_sep"] or None) if tag.strip()]
        whole = bool(self.source["separator"])
        symbols = [pair for symbol in self.cut(line.strip()) for pair in self.known(symbol, whole)]
        return (
            [token for tag in named for token, _ in self.known(tag, True)],
            [token for token, _ in symbols],
            [copy for _, copy in symbols],
        )

    def cut(self, text):
        if self.source["separator"]:
            return [symbol for symbol in text.split(self.source["separator"]) if symbol]
        return list(normal("NFD", text) if self.source.get("decompose") else text)

    def known(self, symbol, whole):
        if symbol in self.ids:
            return [(self.ids[symbol], symbol)]
        bare = "".join(one for one in normal("NFKD", symbol) if unicodedata.category(one) != "Mn")
        for form in (normal("NFKC", symbol), bare):
            for cased in (form, normal("NFC", form.lower()), normal("NFC", form.upper())):
                parts = [cased] if whole or cased in self.ids else self.cut(cased)
                if cased and all(part in self.ids for part in parts):
                    return [(self.ids[part], symbol if len(parts) == 1 else part) for part in parts]
        return [] if len(symbol) == 1 and unicodedata.category(symbol) == "Mn" else [(1, symbol)]

    def join(self, symbols):
        text = self.target["separator"].join(symbols)
        return normal("NFC", text) if self.target.get("decompose") and not self.target["separator"] else text

    def most(self, count):
        longest = self.model["lengths"]
        return math.ceil(1.5 * longest["target"] * max(1, count / longest["source"])) + 5

    # graphs

    def encode(self, tags, ids):
        row = np.array([[*([] if self.acts else tags), *ids, END]])
        feed = {"source_ids": row, "source_mask": row != 0}
        if self.acts and self.source["features_sep"]:
            feed["tag_ids"] = np.array([[tag for tag in tags if tag != 1] or [0]])
        feed |= dict(zip([port.name for port in self.encoder.get_outputs()], self.encoder.run(None, feed), strict=True))
        return {port.name: feed[port.name] for port in self.step.get_inputs() if port.name != "token_ids"}

    def run(self, feed, tokens):
        """Returns log-probabilities (N, V) and the next feed."""
        found = self.step.run(None, {**feed, "token_ids": np.array(tokens)})
        found = dict(zip([port.name for port in self.step.get_outputs()], found, strict=True))
        logits = found["logits"].astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return log_probs, {name: found.get(f"next_{name}", value) for name, value in feed.items()}

    # search

    def outputs(self, line, beam=1, penalty=1.0):
        tags, ids, copies = self.read(line)
        if not tags and not ids:
            return [("", 0.0)]
        most, first = self.most(len(tags) + len(ids)), self.encode(tags, ids)
        found = self.search(first, most, beam, penalty)
        if not self.acts:
            return [(self.join([self.target["symbols"][token - 4] for token in path if token != END]), score)
                    for path, score in found]  # fmt: skip
        by_text = {}
        for path, _ in found:
            symbols = self.written(path, copies)
            if len(symbols) > most:
                places = [place for place, action in enumerate(path) if action != DELETE]
                path, symbols, length = path[: places[most - 1] + 1], symbols[:most], most
            else:
                path, length = self.canonical(ids, copies, symbols), len(symbols) + 1
            score = self.score(first, path)
            by_text.setdefault(tuple(symbols), (score / length**penalty, self.join(symbols), score))
        return [(text, score) for _, text, score in sorted(by_text.values(), key=lambda one: -one[0])]

    def search(self, feed, most, beam, penalty):
        """Returns the ids and scores of complete hypotheses."""
        kept, tokens = [([], 0.0, False)], [START]  # ids, score, complete
        while True:
            log_probs, after = self.run(feed, tokens)
            log_probs[:, self.model["never_written"]] = -np.inf
            longer, row = [], 0
            for path, score, complete in kept:
                if complete:
                    longer.append((path, score, True, None))
                    continue
                longer += [(*one, row) for one in self.extended(path, score, log_probs[row], most)]
                row += 1
            longer.sort(key=lambda one: -one[1] / max(1, len(one[0])) ** penalty)  # equal ones stay in order
            kept = [one[:3] for one in longer[:beam]]
            rows = [row for *_, complete, row in longer[:beam] if not complete]
            if not rows:
                return [(path, score) for path, score, _ in kept]
            tokens = [path[-1] for path, _, complete in kept if not complete]
            feed = {name: value[rows] if name in self.states else value for name, value in after.items()}

    def extended(self, path, score, log_probs, most):
        """Yields what a hypothesis becomes: ids, score, complete."""
        if self.acts and sum(action != DELETE for action in path) > most:
            yield [*path, END], score, True
        elif not self.acts and len(path) == most:
            ends = log_probs.argmax() == END
            yield ([*path, END], score + log_probs[END], True) if ends else (path, score, True)
        else:
            for token in np.flatnonzero(np.isfinite(log_probs)).tolist():
                yield [*path, token], score + log_probs[token], token == END

    # actions

    def written(self, path, copies):
        count, position, symbols = len(self.target["symbols"]), 0, []
        for action in path:
            if action == COPY:
                symbols.append(copies[position])
            elif action > DELETE:
                symbols.append(self.target["symbols"][(action - 6) % count])
            position += COPY <= action < 6 + count
        return symbols

    def canonical(self, ids, copies, symbols):
        """Returns the actions of the canonical path, by the textbook's table of an edit distance."""
        known = {symbol: token for token, symbol in enumerate(self.target["symbols"], 4)}
        read, texts, count = ids, [known.get(symbol, 1) for symbol in symbols], len(known)
        best = np.full((len(read) + 2, len(texts) + 2), -np.inf)
        best[len(read), len(texts)] = 0

        def ways(i, j):
            inside, more = i < len(read), j < len(texts)
            return (
                self.edits["substitution"][read[i], texts[j]] + best[i + 1, j + 1] if inside and more else -np.inf,
                self.edits["deletion"][read[i]] + best[i + 1, j] if inside else -np.inf,
                self.edits["insertion"][texts[j]] + best[i, j + 1] if more else -np.inf,
            )

        for i in reversed(range(len(read) + 1)):
            for j in reversed(range(len(texts) + 1)):
                best[i, j] = max(best[i, j], *ways(i, j))
        i = j = 0
        path = []
        while i < len(read) or j < len(texts):
            chosen = int(np.argmax(ways(i, j)))  # the first of equal ones
            if chosen == 0:
                substitution = 1 if texts[j] == 1 else texts[j] + 2
                path.append(COPY if copies[i] == symbols[j] else substitution)
            elif chosen == 1:
                path.append(DELETE)
            else:
                path.append(2 if texts[j] == 1 else texts[j] + 2 + count)
            i, j = i + (chosen < 2), j + (chosen != 1)
        return [*path, END]

    def score(self, feed, path):
        total = 0.0
        for before, action in zip([START, *path], path, strict=False):
            log_probs, feed = self.run(feed, [before])
            total += log_probs[0, action]
        return total
