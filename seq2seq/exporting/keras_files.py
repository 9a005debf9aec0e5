"""Exports a model as plain Keras files: `encoder.keras`, `decoder.keras`, vocabularies, and a README with a loop."""

from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TRANSDUCER
from seq2seq.errors import BundleError
from seq2seq.exporting.examples import example_line
from seq2seq.exporting.keras_loop import loop_of
from seq2seq.exporting.options import ExportOptions
from seq2seq.exporting.plain_models import PlainModels, plain_models
from seq2seq.exporting.search_wording import scoring_rules
from seq2seq.exporting.wording import (
    INPUTS,
    SPECIAL,
    TEXT_IDS,
    actions_text,
    edits_of,
    kind_of,
    level_of,
    limit_text,
    numbered,
    other_files,
    reading_steps,
    symbols_text,
    text_loop,
    text_steps,
)
from seq2seq.files.writing import write_together
from seq2seq.text.edits import action_count

MEANINGS = {
    **INPUTS,
    "position": "source symbols that were read before; 0 at first",
    "state": "the decoder's state: the encoder's at first, then the one of the step before",
    "memory": "the encoder's first output",
    "tag_ids": f"{INPUTS['tag_ids']}; F is at least 1",
}
TEXT_MEANINGS = {"token_ids": TEXT_IDS, "state": "zeros at first, then the state of the step before"}


def export(bundle: Bundle, folder: Path, options: ExportOptions) -> None:
    """Writes the Keras models of a bundle into an empty folder.

    Args:
        bundle: the model.
        folder: receives the files.
        options: of the export; none applies to this format.

    Raises:
        BundleError: the model is an ensemble, which is several pairs of files.

    """
    refuse_members(bundle, "keras")
    models = plain_models(bundle)
    for name, model in parts_of(models).items():
        model.save(folder / f"{name}.keras")
    write_together(folder, {**other_files(bundle), **edits_of(bundle), "README.md": readme(bundle, models)})


def refuse_members(bundle: Bundle, form: str) -> None:
    """Refuses an ensemble for a format that has one model.

    Raises:
        BundleError: the bundle has members.

    """
    if bundle.members:
        raise BundleError(
            f"{bundle.path}: is an ensemble of {len(bundle.members)} models, and --format {form} writes one; export a "
            f"member, such as --model {bundle.path / bundle.members[0].path.name}, or all with --format savedmodel"
        )


def parts_of(models: PlainModels) -> dict[str, Any]:
    """Returns the Keras models by the names of their files."""
    encoder = {} if models.encoder is None else {"encoder": models.encoder}
    return {**encoder, "decoder": models.decoder}


def readme(bundle: Bundle, models: PlainModels) -> str:
    """Returns the text of README.md."""
    lines = [
        f"# {bundle.path.name}: Keras models",
        "",
        f"A {level_of(bundle)} {kind_of(bundle)}. The files need Keras 3 and no other package:",
        "`keras.saving.load_model` reads them with any backend, since every layer and operation is Keras's own.",
        "",
        "## Models",
        "",
    ]
    for name, model in parts_of(models).items():
        lines += [f"`{name}.keras`, inputs in this order, B rows:", "", *table(bundle, model.inputs), ""]
        lines += [f"Outputs, in a list: {', '.join(outputs_of(bundle, name, len(model.outputs)))}.", ""]
    return "\n".join([*lines, *texts_and_loop(bundle, loop_of(bundle, example_line(bundle)))])


def texts_and_loop(bundle: Bundle, loop: str) -> list[str]:
    """Returns the sections of a README on texts and ids, and on the loop of decoding."""
    lines = ["## Texts and ids", "", SPECIAL, ""]
    if bundle.source_vocabulary is not None:
        lines += [
            *numbered(reading_steps(bundle, bundle.source_vocabulary)),
            "",
            symbols_text(bundle.target_vocabulary, "target"),
        ]
        lines += [limit_text(bundle), ""]
    else:
        lines = ["## Texts and ids", "", *numbered(text_steps(bundle)), "", text_loop(bundle), ""]
    if bundle.model.architecture == TRANSDUCER:
        lines += [*actions_text(bundle), ""]
    lines += ["## Log-probabilities", "", *scores_text(bundle), ""]
    lines += ["## A loop", "", "Greedy decoding, for one line at a time; run it in this folder.", ""]
    return [*lines, "```python", loop.rstrip(), "```", ""]


def scores_text(bundle: Bundle) -> list[str]:
    """Describes log-probabilities, and scores and beams of a translator, as lines of Markdown."""
    lines = ["Log-probabilities are the log-softmax of the logits over all ids, in nats."]
    if bundle.source_vocabulary is None:
        return lines
    several = (
        "Several hypotheses are rows of one call, each with the inputs of its source (with LiteRT a call for each); "
        "when hypotheses are reordered, so are the rows of their states."
    )
    return [*lines, several, "", *numbered(scoring_rules(bundle))]


def table(bundle: Bundle, tensors: list[Any]) -> list[str]:
    """Returns a table of a model's inputs, as lines of Markdown."""
    meanings = MEANINGS if bundle.source_vocabulary else {**MEANINGS, **TEXT_MEANINGS}
    letters = {"source_ids": "(B, S)", "token_ids": "(B, T)", "position": "(B,)", "memory_mask": "(B, S)"}
    letters["tag_ids"] = "(B, F)"
    rows = ["| input | dtype | shape | meaning |", "|---|---|---|---|"]
    for tensor in tensors:
        name = tensor.name
        size = tensor.shape[-1] if tensor.shape else 0
        shape = letters.get(name, f"(B, S, {size})" if name == "memory" else f"(B, {size})")
        meaning = meanings["state" if name.startswith("state_") else name]
        rows.append(f"| `{name}` | {tensor.dtype} | {shape} | {meaning} |")
    return rows


def outputs_of(bundle: Bundle, name: str, count: int) -> list[str]:
    """Returns the names and shapes of a model's outputs, of which there are `count`."""
    hidden = bundle.model.units
    if name == "encoder":
        found = [f"`memory` float32 (B, S, {hidden})"]
    elif bundle.model.architecture == TRANSDUCER and bundle.source_vocabulary is not None:
        count_of = action_count(len(bundle.target_vocabulary))
        found = [f"`logits` float32 (B, T, {count_of}), of the next action", "`position` int32 (B,)"]
    else:
        found = [f"`logits` float32 (B, T, {len(bundle.target_vocabulary)}), of the next symbol"]
    return [*found, *(f"`state_{index}` float32 (B, {hidden})" for index in range(count - len(found)))]
