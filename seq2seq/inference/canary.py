"""A model folder's canary: a few inputs with the model's outputs, which `verify` compares later."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.record import LONGEST_LINE
from seq2seq.errors import BundleError, brief
from seq2seq.files.reading import read_json
from seq2seq.inference.drafts import Opening
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.results import Generated, Output
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.special import END, SPECIAL_COUNT, START
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Reading
from seq2seq.typed_json import fits

MARGIN = 0.05  # nats between the best and the second-best symbol, at every step; less is a near-tie
TOLERANCE = 1e-4  # nats
COUNT = 5
SHORTEST_TEXT, TEXT_LENGTH = 3, 20  # symbols that a language model writes
FORCED = "forced"  # the key of an entry whose text is fed to the model
TEXT_TRIES = 40  # places of the validation text to continue


def margin(logits: np.ndarray, first_id: int) -> float:
    """Returns how far (nats) the best of the ids >= `first_id` is above the second; logits float32 (1, V)."""
    ranked = np.sort(np.asarray(logits, np.float64)[0, first_id:])
    return float(ranked[-1] - ranked[-2]) if len(ranked) > 1 else math.inf


def smallest_margin(translator: Translator, source: Reading, token_ids: Sequence[int]) -> float:
    """Returns the smallest margin (nats) over the steps of a greedy output, END included.

    Args:
        translator: the model.
        source: the line.
        token_ids: of the output, without START and END.

    """
    state = translator.writer.start([source])
    smallest = math.inf
    for token in [START, *token_ids]:
        logits, state = translator.runtime.step(np.array([token], np.int32), state)
        smallest = min(smallest, margin(logits, END))
    return smallest


def choose_canary(translator: Translator, lines: Sequence[str]) -> list[dict[str, Any]]:
    """Chooses up to five lines whose greedy output ends and has no near-tie at any step.

    If no line has one, log-probabilities of given targets are recorded instead: the beginnings of the outputs, or, if
    all lines are empty, symbols of the vocabulary. So there is always something to replay.
    """
    chosen: list[dict[str, Any]] = []
    given: list[Pair] = []
    for number, outputs in enumerate(translator.outputs(lines, DecodingConfig()), 1):
        output = outputs[0]
        if output.log_probs and len(given) < COUNT:
            given.append(Pair(output.source, translator.target_vocabulary.join(output.symbols[:TEXT_LENGTH])))
        if not output.finished or not output.log_probs:
            continue
        source = translator.encode(output.source, "map", number, lambda *_: None)
        if smallest_margin(translator, source, output.token_ids) > MARGIN:
            chosen.append({"source": output.source, "text": output.text, "log_probs": output.log_probs})
        if len(chosen) == COUNT:
            break
    if chosen:
        return chosen
    if not given:
        sides = translator.source_vocabulary, translator.target_vocabulary
        given = [Pair(*(vocabulary.join(vocabulary.symbols[:SHORTEST_TEXT]) for vocabulary in sides))]
    return [forced_entry(*scored) for scored in translator.score(given)]


def forced_entry(source: str, text: str, log_probs: list[float]) -> dict[str, Any]:
    """Returns an entry whose text is fed to the model instead of being written by it."""
    return {"source": source, "text": text, "log_probs": log_probs, FORCED: True}


def choose_text_canary(model: LanguageModel) -> list[dict[str, Any]]:
    """Chooses up to five places of the validation text, with the symbols that the model writes before a near-tie.

    If it writes too few, the log-probabilities of such a place itself are recorded instead, or, without a validation
    text, those of the vocabulary's symbols. So there is always something to replay.
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
    if chosen:
        return list(chosen.values())
    symbols = model.vocabulary.symbols[:TEXT_LENGTH]
    texts = [model.random_opening(0).text, model.form.text([*symbols, *symbols])]
    texts = [text for text in texts if model.vocabulary.encode(model.form.line(text))]
    found = zip(texts, model.score(texts), strict=True)
    return [forced_entry("", text, scored.log_probs) for text, scored in found if scored.log_probs][:1]


def steady_count(model: LanguageModel, opening: Opening, output: Generated) -> int:
    """Counts the symbols of a greedy text before the first near-tie."""
    logits, state = model.read(opening.ids)
    for count, token in enumerate(output.token_ids):
        if margin(logits, SPECIAL_COUNT) <= MARGIN:
            return count
        logits, state = model.runtime.step(np.array([token], np.int32), state)
    return len(output.token_ids)


def read_canary(path: Path) -> list[dict[str, Any]]:
    """Reads the entries that `choose_canary` or `choose_text_canary` chose.

    Raises:
        BundleError: the file is missing or damaged.

    """
    entries = read_json(path)
    if not isinstance(entries, list) or len(entries) > COUNT:
        problem = f"expected a list of at most {COUNT} entries, got {brief(entries)}"
    else:
        bad = next((pair for pair in enumerate(entries, 1) if not is_entry(pair[1])), None)
        if bad is None:
            return entries
        problem = f"entry {bad[0]}: expected source, text and log_probs, got {brief(bad[1])}"
    raise BundleError(f"{path}: is damaged: {problem}; train again, or restore the file")


def is_entry(entry: Any) -> bool:
    """Returns whether a value has the form of a canary's entry."""
    if not isinstance(entry, dict) or not {"source", "text", "log_probs"} <= set(entry):
        return False
    log_probs = entry["log_probs"]
    numbers = fits(log_probs, list[float]) and 0 < len(log_probs) <= LONGEST_LINE
    return numbers and all(fits(entry[name], str) for name in ("source", "text"))


def reply(model: Translator | LanguageModel, entry: Mapping[str, Any]) -> tuple[str, list[float]]:
    """Returns a text and its log-probabilities, nats.

    They are the greedy output's for the entry's source, of which a language model writes as many symbols as were
    recorded; or those of the entry's own text, if it was not written by the model.
    """
    source, text = entry["source"], entry["text"]
    if entry.get(FORCED):
        (scored,) = model.score([Pair(source, text)]) if isinstance(model, Translator) else model.score([text])
        return text, scored.log_probs
    output: Generated | Output
    if isinstance(model, Translator):
        ((output,),) = model.outputs([source], DecodingConfig())
    else:
        config = GenerationConfig(temperature=0.0, length=len(entry["log_probs"]), seed=0, oov="unk")
        (output,) = model.write(model.open(source, config)._replace(given=False), config)
    return output.text, output.log_probs


def replay_canary(model: Translator | LanguageModel, canary: Sequence[Mapping[str, Any]]) -> None:
    """Raises BundleError where the model's output differs from the one recorded when the folder was written."""
    for entry in canary:
        where = f"{model.bundle.path}: input {brief(entry['source'])}"
        text, log_probs = reply(model, entry)
        if text != entry["text"]:
            raise BundleError(f"{where}: gives {brief(text)}, but {brief(entry['text'])} was recorded")
        counts = len(log_probs), len(entry["log_probs"])
        if counts[0] != counts[1]:
            raise BundleError(f"{where}: gives {counts[0]} log-probabilities, but {counts[1]} were recorded")
        difference = float(np.abs(np.subtract(log_probs, entry["log_probs"])).max(initial=0))
        if not difference <= TOLERANCE:  # NaN too
            raise BundleError(
                f"{where}: log-probabilities differ by {difference:.1g} nats from the recorded ones, "
                f"more than {TOLERANCE:.0e}"
            )
