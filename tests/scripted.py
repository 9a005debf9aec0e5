"""Step functions that a reader can check by hand: one with given logits, and one that reveals misplaced rows."""

from __future__ import annotations

import itertools

import numpy as np

from seq2seq.decoding import Beam, Greedy, Sampling, State, decode
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK

A, B = SPECIAL_COUNT, SPECIAL_COUNT + 1

STRATEGIES = [
    Greedy(),
    Sampling(seed=3, temperature=0.8, width=2),
    Sampling(seed=3, temperature=1.5, top_k=3, top_p=0.9, min_p=0.05),
    Beam(width=1),
    Beam(width=3),
    Beam(width=4, length_penalty=0.0),
]


class ScriptedModel:
    """Returns given logits for each source, one row of V per step, for any input; the last row repeats."""

    def __init__(self, scripts):
        """Takes for each source a list of V logits per step; all sources have the same number of steps."""
        self.scripts = np.asarray(scripts, dtype=np.float32)  # (B, T, V)
        self.fed = []

    def start(self):
        """Returns the state of all sources at step 0."""
        sources = np.arange(len(self.scripts))
        return State(rows={"step": np.zeros(len(sources), int)}, shared=(sources,))

    def step(self, token_ids, state):
        """Reads ids (N,); returns logits (N, V) and the state of the next step."""
        self.fed.append(token_ids.tolist())
        steps = state.rows["step"]
        sources = np.repeat(state.shared[0], len(steps) // len(state.shared[0]))
        logits = self.scripts[sources, np.minimum(steps, self.scripts.shape[1] - 1)]
        return logits, State({"step": steps + 1}, state.shared)


class MarkovModel:
    """Random logits that depend on the last two tokens and on the source: misplaced rows show at once."""

    def __init__(self, symbols=4, source_count=6, seed=0, end_bias=0.0, scale=1.5):
        """Creates the tables of a model with `symbols` symbols beside the special ids."""
        rng = np.random.default_rng(seed)
        self.vocabulary_size = SPECIAL_COUNT + symbols
        size = self.vocabulary_size
        self.table = rng.normal(0, scale, (size, size, size)).astype(np.float32)
        self.table[..., END] += end_bias
        self.bias = rng.normal(0, scale, (source_count, size)).astype(np.float32)
        self.row_counts = []

    def start(self, sources):
        """Returns the state of the named sources, in this order."""
        sources = np.asarray(sources, dtype=int)
        return State(rows=(np.full(len(sources), START),), shared={"bias": self.bias[sources]})

    def start_unshared(self, sources):
        """Returns a state like that of a language model: the bias is in the rows, nothing is shared."""
        sources = np.asarray(sources, dtype=int)
        return State(rows=(np.full(len(sources), START), self.bias[sources]), shared=())

    def step(self, token_ids, state):
        """Reads ids (N,); returns logits (N, V) and the state, which remembers the ids."""
        self.row_counts.append(len(token_ids))
        if state.shared == ():
            (previous, bias), rows = state.rows, (token_ids, state.rows[1])
        else:
            (previous,), bias, rows = state.rows, state.shared["bias"], (token_ids,)
        bias = np.repeat(bias, len(token_ids) // len(bias), axis=0)
        return self.table[previous, token_ids] + bias, State(rows, state.shared)

    def log_probs(self, source, previous, token):
        """Returns float64 (V,): the natural-log probabilities of the token after two others."""
        logits = (self.table[previous, token] + self.bias[source]).astype(np.float64)
        return logits - np.log(np.exp(logits).sum())

    def score(self, source, tokens):
        """Returns the log-probabilities of `tokens`, one at a time: an oracle without a loop over a state."""
        pairs = itertools.pairwise([START, START, *tokens])
        return [self.log_probs(source, *pair)[token] for pair, token in zip(pairs, tokens, strict=False)]


def logits(**weights):
    """A row of logits whose softmax is the given weights: PAD, UNK, START, END, A, B."""
    row = np.full(6, -np.inf)
    for name, weight in weights.items():
        row[{"PAD": PAD, "UNK": UNK, "START": START, "END": END, "A": A, "B": B}[name]] = np.log(weight)
    return row


def run(model, sources=(0,), *, strategy, first_line=1, **options):
    lines = np.arange(first_line, first_line + len(sources))
    options.setdefault("max_length", 6)
    return decode(model, model.start(sources), strategy=strategy, line_numbers=lines, **options)


def run_script(rows, *, strategy, max_length=5, **options):
    model = ScriptedModel([rows])
    return decode(model, model.start(), strategy=strategy, line_numbers=[1], max_length=max_length, **options)[0]


def ending_model(seed=0):
    return MarkovModel(symbols=4, source_count=6, seed=seed, end_bias=1.0)
