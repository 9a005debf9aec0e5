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
from seq2seq.exporting.wording import (
    INPUTS,
    SPECIAL,
    actions_text,
    kind_of,
    limit_text,
    other_files,
    reading_text,
    symbols_text,
)
from seq2seq.files.writing import write_together

MEANINGS = {
    **INPUTS,
    "position": "source symbols that were read before; 0 at first",
    "state": "the decoder's state: the encoder's at first, then the one of the step before",
    "memory": "the encoder's first output",
    "tag_ids": f"{INPUTS['tag_ids']}; F is at least 1",
}


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
    write_together(folder, {**other_files(bundle), "README.md": readme(bundle, models)})


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
        f"A character-level {kind_of(bundle)}. The files need Keras 3 and no other package: `keras.saving.load_model`",
        "reads them with any backend, since every layer and operation is Keras's own.",
        "",
        "## Models",
        "",
    ]
    for name, model in parts_of(models).items():
        lines += [f"`{name}.keras`, inputs in this order, B rows:", "", *table(model.inputs), ""]
        lines += [f"Outputs, in a list: {', '.join(outputs_of(bundle, name, len(model.outputs)))}.", ""]
    return "\n".join([*lines, *texts_and_loop(bundle, loop_of(bundle, example_line(bundle)))])


def texts_and_loop(bundle: Bundle, loop: str) -> list[str]:
    """Returns the sections of a README on texts and ids, and on the loop of decoding."""
    lines = ["## Texts and ids", "", SPECIAL, ""]
    if bundle.source_vocabulary is not None:
        lines += [*reading_text(bundle, bundle.source_vocabulary), "", symbols_text(bundle.target_vocabulary, "target")]
        lines += [limit_text(bundle), ""]
    else:
        lines += [symbols_text(bundle.target_vocabulary, "text"), "Before its first symbol all states are zeros.", ""]
    if bundle.model.architecture == TRANSDUCER:
        lines += [*actions_text(bundle), ""]
    lines += ["## A loop", "", "Greedy decoding, for one line at a time; run it in this folder.", ""]
    return [*lines, "```python", loop.rstrip(), "```", ""]


def table(tensors: list[Any]) -> list[str]:
    """Returns a table of a model's inputs, as lines of Markdown."""
    letters = {"source_ids": "(B, S)", "token_ids": "(B, T)", "position": "(B,)", "memory_mask": "(B, S)"}
    letters["tag_ids"] = "(B, F)"
    rows = ["| input | dtype | shape | meaning |", "|---|---|---|---|"]
    for tensor in tensors:
        name = tensor.name
        size = tensor.shape[-1] if tensor.shape else 0
        shape = letters.get(name, f"(B, S, {size})" if name == "memory" else f"(B, {size})")
        meaning = MEANINGS["state" if name.startswith("state_") else name]
        rows.append(f"| `{name}` | {tensor.dtype} | {shape} | {meaning} |")
    return rows


def outputs_of(bundle: Bundle, name: str, count: int) -> list[str]:
    """Returns the names and shapes of a model's outputs, of which there are `count`."""
    hidden = bundle.model.units
    if name == "encoder":
        found = [f"`memory` float32 (B, S, {hidden})"]
    elif bundle.model.architecture == TRANSDUCER and bundle.source_vocabulary is not None:
        found = ["`logits` float32 (B, T, actions), of the next action", "`position` int32 (B,)"]
    else:
        found = [f"`logits` float32 (B, T, {len(bundle.target_vocabulary)}), of the next symbol"]
    return [*found, *(f"`state_{index}` float32 (B, {hidden})" for index in range(count - len(found)))]
