"""A model folder's canary: a few inputs and what the model says to them, to see later that it still says so."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config import DecodingConfig, GenerationConfig
from seq2seq.errors import BundleError
from seq2seq.files import read_json
from seq2seq.inference.language_model import LanguageModel, Opening
from seq2seq.inference.results import Generated, Output
from seq2seq.inference.translator import Translator
from seq2seq.special import END, SPECIAL_COUNT, START
from seq2seq.text.batches import Ragged

MARGIN = 0.05  # nats between the best and the second symbol, at every step
TOLERANCE = 1e-4  # nats
COUNT = 5
SHORTEST_TEXT, TEXT_LENGTH = 3, 20  # symbols of what a language model writes
TEXT_TRIES = 40  # places of the validation text that it may go on from


def margin(logits: np.ndarray, first_id: int) -> float:
    """Returns the distance (nats) between the best id from `first_id` on and the second, of logits float32 (1, V)."""
    ranked = np.sort(np.asarray(logits, np.float64)[0, first_id:])
    return float(ranked[-1] - ranked[-2]) if len(ranked) > 1 else math.inf


def smallest_margin(translator: Translator, source: Sequence[int], target: Sequence[int]) -> float:
    """Returns the smallest distance (nats) between a greedy output's symbols, END among them, and the second best.

    Args:
        translator: the model.
        source: ids of the line, without what the model adds to them.
        target: ids of what was written, without START and END.

    """
    row = np.arange(1)
    state = translator.runtime.start(Ragged([translator.source_form.row(source)]).padded(row))
    smallest = math.inf
    for token in [START, *target]:
        logits, state = translator.runtime.step(np.array([token], np.int32), state)
        smallest = min(smallest, margin(logits, END))
    return smallest


def choose_canary(translator: Translator, lines: Sequence[str]) -> list[dict[str, Any]]:
    """Picks up to five of the lines whose greedy output is no near-tie at any step."""
    chosen: list[dict[str, Any]] = []
    for number, outputs in enumerate(translator.outputs(lines, DecodingConfig()), 1):
        output = outputs[0]
        if not output.finished or not output.log_probs:
            continue
        source = translator.encode(output.source, "map", number, lambda *_: None)
        if smallest_margin(translator, source, output.token_ids) > MARGIN:
            chosen.append({"source": output.source, "text": output.text, "log_probs": output.log_probs})
        if len(chosen) == COUNT:
            break
    return chosen


def choose_text_canary(model: LanguageModel) -> list[dict[str, Any]]:
    """Picks up to five places of the validation text, with what the model writes there before its first near-tie.

    Without a validation text there are none.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for seed in range(TEXT_TRIES):
        config = GenerationConfig(temperature=0.0, length=TEXT_LENGTH, seed=seed)
        opening = model.random_opening(seed)
        if not opening.ids or opening.text in chosen or len(chosen) == COUNT:
            continue
        (output,) = model.write(opening, config)
        count = steady_count(model, opening, output)
        if count >= SHORTEST_TEXT:
            text, log_probs = model.form.text(output.symbols[:count]), output.log_probs[:count]
            chosen[opening.text] = {"source": opening.text, "text": text, "log_probs": log_probs}
    return list(chosen.values())


def steady_count(model: LanguageModel, opening: Opening, output: Generated) -> int:
    """Counts the symbols of a greedy text before the first that the second best comes near."""
    logits, state = model.read(opening.ids)
    for count, token in enumerate(output.token_ids):
        if margin(logits, SPECIAL_COUNT) <= MARGIN:
            return count
        logits, state = model.runtime.step(np.array([token], np.int32), state)
    return len(output.token_ids)


def read_canary(path: Path) -> list[dict[str, Any]]:
    """Reads what `choose_canary` or `choose_text_canary` chose.

    Raises:
        BundleError: the file is missing or damaged.

    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise damaged(path, f"expected a list of entries, got {entries!r}")
    for number, entry in enumerate(entries, 1):
        if not is_entry(entry):
            raise damaged(path, f"entry {number}: expected source, text and log_probs, got {entry!r}")
    return entries


def damaged(path: Path, problem: str) -> BundleError:
    """Returns the error that names what is wrong with a file."""
    return BundleError(f"{path}: is damaged: {problem}; train again, or restore the file")


def is_entry(entry: Any) -> bool:
    """Says whether a value is one of a canary's entries."""
    if not isinstance(entry, dict) or not {"source", "text", "log_probs"} <= set(entry):
        return False
    log_probs = entry["log_probs"]
    numbers = isinstance(log_probs, list) and log_probs and all(isinstance(value, int | float) for value in log_probs)
    return bool(numbers) and isinstance(entry["source"], str) and isinstance(entry["text"], str)


def replies(model: Translator | LanguageModel, canary: Sequence[Mapping[str, Any]]) -> Sequence[Generated | Output]:
    """Returns what the model says greedily to each input; a language model as much as it said before."""
    if isinstance(model, Translator):
        return [outputs[0] for outputs in model.outputs([entry["source"] for entry in canary], DecodingConfig())]
    said = []
    for entry in canary:
        config = GenerationConfig(temperature=0.0, length=len(entry["log_probs"]), seed=0, oov="unk")
        said += model.write(model.open(entry["source"], config)._replace(given=False), config)
    return said


def replay_canary(model: Translator | LanguageModel, canary: Sequence[Mapping[str, Any]]) -> None:
    """Raises BundleError where the model does not say what it said when the folder was written."""
    for entry, output in zip(canary, replies(model, canary), strict=True):
        where = f"{model.bundle.path}: input {entry['source']!r}"
        if output.text != entry["text"]:
            raise BundleError(f"{where}: gives {output.text!r}, but gave {entry['text']!r} when it was written")
        counts = len(output.log_probs), len(entry["log_probs"])
        if counts[0] != counts[1]:
            raise BundleError(f"{where}: gives {counts[0]} log-probabilities, but gave {counts[1]} when it was written")
        difference = float(np.abs(np.subtract(output.log_probs, entry["log_probs"])).max(initial=0))
        if not difference <= TOLERANCE:  # NaN too
            raise BundleError(
                f"{where}: log-probabilities differ by {difference:.1g} nats from when it was written, "
                f"more than {TOLERANCE:.0e}"
            )
