"""Reads one of this package's model folders: its models and rows of its data, as arguments of `examine`."""

from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.errors import DataError, Seq2SeqError
from seq2seq.foreign.files import read_pairs
from seq2seq.models.translator import build_translator, training_model
from seq2seq.models.weights import import_weights
from seq2seq.scoring.material import own_material
from seq2seq.special import END, PAD, START
from seq2seq.text.batches import Ragged, teacher_force
from seq2seq.text.source_layout import SourceForm

MOST_PAIRS = 2000


def open_bundle(path: Path, pairs: str | Path | None = None) -> dict[str, Any]:
    """Builds the models of a folder and encodes pairs with its vocabularies.

    Args:
        path: the finished folder of a translator.
        pairs: a .tsv; None: the test part of the model's own data.

    Returns:
        Arguments of `examine`.

    Raises:
        BundleError: the folder is incomplete.
        DataError: it holds a language model or an ensemble, or its data cannot be read and no pairs were given.

    """
    bundle = load_bundle(path)
    if bundle.members:
        raise DataError(
            f"{path}: expected one model, got an ensemble of {len(bundle.members)}; give one member, "
            f"such as {bundle.members[0].path}"
        )
    if bundle.kind != TRANSLATOR or bundle.source_vocabulary is None:
        raise DataError(
            f"{path}: expected a translator, got a {bundle.kind}; `seq2seq verify` checks its recorded outputs"
        )
    if bundle.edits:
        raise DataError(
            f"{path}: expected a model that writes symbols, got a transducer, whose arrays the checks do not know; "
            "training checked its arrays, `seq2seq verify` checks its recorded outputs, `seq2seq evaluate` scores it"
        )
    source, target = bundle.source_vocabulary, bundle.target_vocabulary
    if pairs is not None:
        texts = read_pairs(Path(pairs))
    else:
        try:
            material = own_material(bundle, by="source")
        except Seq2SeqError as error:
            raise DataError(f"{path}: its data cannot be read ({error}); pass --pairs FILE.tsv") from error
        texts = [(group.source, group.references[0]) for group in material.references]
    texts = texts[:MOST_PAIRS]
    form, rows = SourceForm.from_record(bundle.record), np.arange(len(texts))
    source_ids = Ragged([form.row(source.encode(one)) for one, _ in texts]).padded(rows)
    target_ids = Ragged([[START, *target.encode(other), END] for _, other in texts]).padded(rows)
    forced = teacher_force(target_ids)
    models = build_translator(bundle.model, source_size=len(source), target_size=len(target))
    import_weights([models.encoder, models.decoder], bundle.weights, where=str(path))
    found: dict[str, Any] = {
        "arrays": {
            "encoder_input": source_ids,
            "decoder_input": forced.inputs,
            "decoder_target": forced.targets,
            "sample_weight": forced.weights,
        },
        "train_model": training_model(models),
        "start": START,
        "end": END,
        "pad": PAD,
    }
    if not models.attends:  # with attention, the decoder takes a mask, which the encoder does not return
        found |= {"encoder": models.encoder, "decoder": models.decoder}
    return found
