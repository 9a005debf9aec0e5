"""A model folder's canary: a few inputs and what the model says to them, to see later that it still says so."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.batches import Ragged
from seq2seq.config import DecodingConfig
from seq2seq.errors import BundleError
from seq2seq.inference import Runtime, Translator
from seq2seq.special import END, START

MARGIN = 0.05  # nats between the best and the second symbol, at every step
TOLERANCE = 1e-4  # nats
COUNT = 5


def smallest_margin(runtime: Runtime, source: Sequence[int], target: Sequence[int]) -> float:
    """Returns the smallest distance (nats) between a greedy output's symbols and the second best."""
    row = np.arange(1)
    state = runtime.start(Ragged([[*source, END]]).padded(row))
    smallest = np.inf
    for token in [START, *target]:
        logits, state = runtime.step(np.array([token], np.int32), state)
        second, best = np.sort(np.asarray(logits, np.float64)[0])[-2:]
        smallest = min(smallest, best - second)
    return float(smallest)


def choose_canary(translator: Translator, lines: Sequence[str]) -> list[dict[str, Any]]:
    """Picks up to five of the lines whose greedy output is no near-tie at any step."""
    chosen: list[dict[str, Any]] = []
    for number, outputs in enumerate(translator.outputs(lines, DecodingConfig()), 1):
        output = outputs[0]
        if not output.finished or not output.source:
            continue
        source = translator.encode(output.source, "map", number, lambda *_: None)
        target = translator.target_vocabulary.encode(output.text)
        if smallest_margin(translator.runtime, source, target) > MARGIN:
            chosen.append({"source": output.source, "text": output.text, "log_probs": output.log_probs})
        if len(chosen) == COUNT:
            break
    return chosen


def replay_canary(translator: Translator, canary: Sequence[Mapping[str, Any]]) -> None:
    """Raises BundleError where the model does not say what it said when the folder was written."""
    lines = [entry["source"] for entry in canary]
    for entry, (output, *_) in zip(canary, translator.outputs(lines, DecodingConfig()), strict=True):
        where = f"{translator.bundle.path}: input {entry['source']!r}"
        if output.text != entry["text"]:
            raise BundleError(f"{where}: gives {output.text!r}, but gave {entry['text']!r} when it was written")
        difference = float(np.abs(np.subtract(output.log_probs, entry["log_probs"])).max(initial=0))
        if difference > TOLERANCE:
            raise BundleError(
                f"{where}: log-probabilities differ by {difference:.1g} nats from when it was written, "
                f"more than {TOLERANCE:.0e}"
            )
