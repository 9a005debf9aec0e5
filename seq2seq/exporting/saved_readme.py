"""The README of an exported SavedModel: its signatures, what texts become, and how to ask it."""

from collections.abc import Mapping
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.examples import example_line
from seq2seq.exporting.search_wording import BEAM, BY_TEXT, CANONICAL, FULL, FULL_ACTIONS, ROUNDING
from seq2seq.exporting.tf_models import transduces
from seq2seq.exporting.wording import (
    INPUTS,
    SPECIAL,
    TEXT_IDS,
    actions_text,
    kind_of,
    level_of,
    limit_text,
    numbered,
    reading_steps,
    symbols_text,
    text_loop,
    text_steps,
)
from seq2seq.models.backend import tf
from seq2seq.search_config import LONGEST

EFFECTS = {
    "serving_default": "the same as `translate`",
    "translate": "the most probable symbol at each step (greedy)",
    "translate_beam": "beam search; the best output of each line first",
    "generate": "continues texts",
    "encode": "reads sources; its outputs are inputs of `step`",
    "step": "feeds one id to each of B hypotheses",
}
MEANINGS = {
    "lines": "source lines, UTF-8",
    "beam_size": "K, hypotheses of each line, such as 5",
    "length_penalty": "A in rank_score = score / length^A, such as 1.0; length in symbols with END",
    "texts": "the outputs, UTF-8",
    "scores": "log-probability of the output in nats, END included where it was reached",
    "rank_scores": "what a beam ranks by; minus infinity, with an empty text: the beam has fewer outputs",
    "finished": "false: the output was cut off at the limit of its length",
    "prompts": "beginnings of texts, UTF-8, at least one symbol each",
    "length": "symbols to add",
    "temperature": "0: the most probable symbol; above 0: draws from p^(1/T)",
    "seed": "of the draws",
    **INPUTS,
    "memory": "the encoder's output; the same at each step",
    "memory_mask": f"{INPUTS['memory_mask']}; the same at each step",
    "position": "source symbols that were read",
    "state": "the decoder's state; after a step the next one",
    "logits": "of the next id; log-probabilities are their log-softmax over all ids",
}
TEXT_MEANINGS = {
    "token_ids": TEXT_IDS,
    "scores": "log-probability of the symbols that were added, in nats",
    "state": "zeros at first; after a step the next one",
}
LETTERS = {
    "lines": "B", "prompts": "B", "source_ids": "B, S", "token_ids": "B", "tag_ids": "B, F", "memory_mask": "B, S",
    "position": "B",
}  # fmt: skip


def readme(bundle: Bundle, signatures: Mapping[str, Any]) -> str:
    """Returns the text of README.md for the signatures, concrete functions by name."""
    name = bundle.path.name
    members = f", an ensemble of {len(bundle.members)}" if bundle.members else ""
    lines = [
        f"# {name}: SavedModel",
        "",
        f"A {level_of(bundle)} {kind_of(bundle)}{members}. TensorFlow 2 runs it without any other package.",
        "",
        *asked(bundle, name),
        "## Signatures",
        "",
    ]
    for signature, function in signatures.items():
        lines += [f"### `{signature}`: {EFFECTS[signature]}", ""]
        if signature != "serving_default":
            meanings = MEANINGS if bundle.source_vocabulary else {**MEANINGS, **TEXT_MEANINGS}
            lines += [*tables(signature, function, meanings), ""]
    lines += ["## Texts", "", *texts(bundle), "", "## Ids", ""]
    if bundle.source_vocabulary is None:
        lines += ["`step` takes and returns ids. A text becomes ids in these steps:", ""]
        return "\n".join([*lines, *numbered(text_steps(bundle)), "", text_loop(bundle)]) + "\n"
    lines += [f"`encode` and `step` take and return ids. {SPECIAL}"]
    lines += ["Take the most probable id from 3 (END) on: 0, 1 and 2 are never written.", ""]
    lines += actions_text(bundle) if transduces(bundle) else [symbols_text(bundle.target_vocabulary, "target")]
    steps = numbered(reading_steps(bundle, bundle.source_vocabulary))
    return "\n".join([*lines, "", "A source becomes ids in these steps:", "", *steps]) + "\n"


def asked(bundle: Bundle, name: str) -> list[str]:
    """Returns the examples: in Python, and with TensorFlow Serving."""
    example = example_line(bundle)
    if bundle.source_vocabulary is None and bundle.target_vocabulary.separator:
        return []
    if bundle.source_vocabulary is None:
        signature = "generate"
        inputs: dict[str, Any] = {"prompts": [example], "length": 100, "temperature": 0.7, "seed": 1}
        given = f"prompts=tf.constant([{example!r}]), length=tf.constant(20), temperature=tf.constant(0.0),"
        given += " seed=tf.constant(1, tf.int64)"
    else:
        signature, inputs, given = "translate", {"lines": [example]}, f"lines=tf.constant([{example!r}])"
    return [
        "In Python, in this folder:",
        "",
        "```python",
        "import tensorflow as tf",
        "",
        'model = tf.saved_model.load(".")',
        f'found = model.signatures["{signature}"]({given})',
        'print([text.decode() for text in found["texts"].numpy()])',
        "```",
        "",
        "With TensorFlow Serving, where this folder is version 1 of the model; then in another process:",
        "",
        "```",
        f'docker run -p 8501:8501 -v "$PWD:/models/{name}/1" -e MODEL_NAME={name} tensorflow/serving',
        "```",
        "",
        "```python",
        "import requests",
        "",
        f'question = {{"signature_name": "{signature}", "inputs": {inputs!r}}}',
        f'answer = requests.post("http://localhost:8501/v1/models/{name}:predict", json=question)',
        'print(answer.json()["outputs"]["texts"])',
        "```",
        "",
    ]


def tables(signature: str, function: Any, meanings: Mapping[str, str]) -> list[str]:
    """Returns a table of the inputs and outputs of a signature, as lines of Markdown."""
    inputs = {spec.name: spec for spec in tf.nest.flatten(function.structured_input_signature)}
    rows = ["| | name | dtype | shape | meaning |", "|---|---|---|---|---|"]
    beam = signature == "translate_beam"
    for way, tensors in (("input", inputs), ("output", function.structured_outputs)):
        for name, tensor in tensors.items():
            base = name.partition("_")[2].partition("_")[2] if name.startswith("member_") else name
            meaning = meanings["state" if base.startswith("state_") else base]
            letters = LETTERS.get(base) or ("B, K" if beam else letters_of(tensor.shape))
            shape = letters if tensor.shape.rank else ""
            comma = "," if shape == "B" else ""
            rows.append(f"| {way} | `{name}` | {tensor.dtype.name} | ({shape}{comma}) | {meaning} |")
    return rows


def letters_of(shape: Any) -> str:
    """Returns a shape with the letters B and S for the sizes that differ between calls."""
    sizes = [letter if size is None else str(size) for letter, size in zip("BS", shape, strict=False)]
    return ", ".join([*sizes, *map(str, shape[2:])])


def texts(bundle: Bundle) -> list[str]:
    """Describes how the functions treat texts, and where that differs from this package."""
    vocabulary = bundle.source_vocabulary or bundle.target_vocabulary
    lines = [
        "- The graph normalises texts as the model's training data was normalised. TensorFlow has no canonical "
        "composition (NFC), so the graph composes a character with the marks after it, one mark after the other, as "
        "NFC does for usual text. Pass NFC where marks may stand in an unusual order.",
    ]
    if vocabulary.separator:
        lines.append(
            "- An unknown symbol is read as its lower-case or upper-case form if the model knows that, else as UNK. "
            "`seq2seq decode` also tries compatibility forms and base letters."
        )
    else:
        lines.append(
            "- An unknown character is read as the first known one of its compatibility form, its other case and its "
            "base letter, else as UNK, as `seq2seq decode --oov map` does."
        )
    if bundle.source_vocabulary is None:
        lines.append(
            "- At temperature 0 a text is the one of `seq2seq generate --temperature 0`; above 0 the draws are those "
            "of TensorFlow's stateless generator, which are others than those of `seq2seq generate`."
        )
        return lines
    lines += [
        f"- {limit_text(bundle)}",
        f"- A line with more than {LONGEST} symbols fails the whole call (INVALID_ARGUMENT).",
        f"- Texts and scores are those of `seq2seq decode`, but for rounding. {ROUNDING}",
    ]
    if vocabulary.features_sep:
        lines.append(
            f"- A line is `text<TAB>tags`, with {vocabulary.features_sep!r} between tags; one without a tab fails the "
            "whole call. For a word without tags, end the line with a tab."
        )
    if bundle.target_vocabulary.decompose:
        lines.append(
            "- Where the parts of a character came in another order than its text has, the score is that of the parts "
            "as they came, and a beam may hold the same text twice; `seq2seq decode` scores the text."
        )
    searching = (CANONICAL, BEAM, FULL_ACTIONS, BY_TEXT) if transduces(bundle) else (BEAM, FULL)
    return lines + [f"- {rule}" for rule in searching]
