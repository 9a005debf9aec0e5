"""`examine` takes arrays, models, vocabularies and pairs, and returns a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.diagnosis.array_checks import ARRAY_CHECKS
from seq2seq.diagnosis.examination import Examination
from seq2seq.diagnosis.report import Examined, NotExamined, Report
from seq2seq.diagnosis.split_checks import check_validation
from seq2seq.diagnosis.vocabulary_checks import check_vocabularies
from seq2seq.errors import OptionError
from seq2seq.fields import whole_number
from seq2seq.foreign.files import read_npz, read_pairs, read_vocabulary_file
from seq2seq.foreign.layout import Data, sort_out
from seq2seq.foreign.parts import DECODER, ENCODER, TARGET, ModelInputs
from seq2seq.foreign.vocabularies import Table, read_table

Symbol = str | int
Names = Sequence[str] | Mapping[str, str]  # of arrays, in the order of a model's inputs or by their names


def examine(
    *,
    arrays: Any = None,
    train_model: Any = None,
    encoder: Any = None,
    decoder: Any = None,
    models: Mapping[str, Any] | None = None,
    vocabularies: Sequence[Any] = (),
    pairs: Any = None,
    start: Symbol | None = None,
    end: Symbol | None = None,
    pad: Symbol | None = None,
    validation: Any = None,
    validation_split: float | None = None,
    inputs: Names | None = None,
    allow_lambda: bool = False,
) -> Report:
    """Finds why a Keras sequence-to-sequence model trains well and decodes badly.

    Args:
        arrays: the training arrays: a mapping with `encoder_input`, `decoder_input` and `decoder_target` (or
            `x` and `y`; optionally `sample_weight`), the path of such an .npz, (inputs, targets[, weights]) as for
            `fit`, or a data set that yields these. One-hot or ids.
        train_model: the model that was fitted, or its path.
        encoder: the inference encoder, or its path.
        decoder: the inference decoder, one step at a time, or its path.
        models: models whose part is inferred, by name.
        vocabularies: one for both sides, or the source's and the target's: lists, mappings from symbol to id, or paths.
        pairs: (source, target) texts in the order of the rows, or the path of a .tsv.
        start: the symbol or id that begins decoding.
        end: the symbol or id that ends it.
        pad: the symbol or id of padding; "zeros" for all-zero one-hot rows.
        validation: arrays like `arrays`, or a path.
        validation_split: the share of the rows, 0 to 1, that Keras took from the end as validation data.
        inputs: array names in the order of the training model's inputs, or by the names of these inputs.
        allow_lambda: whether files may hold Lambda layers, whose code runs.

    Raises:
        DataError: an input cannot be read.
        OptionError: options contradict each other, or nothing was given.

    """
    tables = [named_table(value, index) for index, value in enumerate(vocabularies)]
    given = {"train_model": train_model, "encoder": encoder, "decoder": decoder}
    if (
        arrays is None
        and pairs is None
        and not tables
        and not models
        and not any(m is not None for m in given.values())
    ):
        raise OptionError("nothing to examine: give arrays, models, vocabularies or pairs")
    if validation_split is not None and not 0 < validation_split < 1:
        raise OptionError(f"expected a validation split between 0 and 1, got {validation_split!r}")
    texts = read_pairs(Path(pairs)) if isinstance(pairs, (str, Path)) else pairs
    known = marks(tables, start=start, end=end, pad=pad)
    found = Examination()
    opened: dict[str, Any] = {}
    if any(model is not None for model in given.values()) or models:
        from seq2seq.diagnosis.examining_models import FORCED, examine_models, open_models
        from seq2seq.diagnosis.form_checks import check_distributions
        from seq2seq.foreign.forms import converted

        opened = open_models(found, given, models or {}, allow_lambda=allow_lambda)
    fed = model_inputs(opened.get("train_model"), inputs)
    data = None
    if arrays is not None:
        data = examine_arrays(found, arrays, known, fed)
    else:
        found.add(
            NotExamined(
                "the arrays (D01 to D04, D10, D15): none were given; pass the .npz that the model was trained on"
            )
        )
    found.add(*check_vocabularies(tables, data, texts))
    found.add(*check_validation(data, texts, validation_data(validation, known, fed), validation_split))
    if opened:
        train = opened.get("train_model")
        if data is not None and train is not None:
            fitted = converted(data, train)
            found.inferred += fitted.inferred[len(data.inferred) :]
            found.add(*check_distributions(fitted, train))
            data = fitted
        before = len(found.findings)
        examine_models(found, opened, data, inputs)
        if data is not None and FORCED not in found.examined and len(found.findings) == before:
            found.failed.append("the models")
    else:
        found.add(NotExamined("models (D05 to D09, D13, D14): none were given; pass the model that was trained"))
    return found.report()


def examine_arrays(found: Examination, arrays: Any, known: Mapping[str, Any], fed: ModelInputs) -> Data:
    """Reads arrays and runs the checks that need arrays alone."""
    named = read_npz(Path(arrays)) if isinstance(arrays, (str, Path)) else arrays
    data = sort_out(named, **known, model=fed)
    found.inferred += data.inferred
    found.add(Examined("arrays", data.rows))
    for check in ARRAY_CHECKS:
        found.add(*check(data))
    return data


def named_table(value: Any, index: int) -> Table:
    """Reads a vocabulary from a value or a path."""
    if isinstance(value, (str, Path)):
        return read_table(read_vocabulary_file(Path(value)), str(value))
    return read_table(value, getattr(value, "name", None) or f"vocabulary {index + 1}")


def marks(tables: Sequence[Table], *, start: Symbol | None, end: Symbol | None, pad: Symbol | None) -> dict[str, Any]:
    """Returns the ids of the user's START, END and padding."""
    target = tables[-1] if tables else None
    pads: dict[str, int | None] = {}
    if pad is not None:
        for part in (ENCODER, DECODER, TARGET):
            table = tables[0] if tables and part == ENCODER else target
            pads[part] = mark("pad", pad, table)
    return {
        "pads": pads,
        "start": None if start is None else mark("start", start, target),
        "end": None if end is None else mark("end", end, target),
    }


def mark(what: str, symbol: Symbol, table: Table | None) -> int:
    """Returns the id of a symbol or an id.

    Raises:
        OptionError: there is no vocabulary, or it does not hold the symbol.

    """
    if isinstance(symbol, int):
        return symbol
    if table is not None and symbol in table.ids:
        return table.ids[symbol]
    if symbol == "zeros":
        return -1
    if (number := whole_number(symbol)) is not None:
        return number
    place = f"{table.name} does not have it" if table is not None else "there is no vocabulary"
    raise OptionError(f"--{what} {symbol!r}: expected an id or a symbol of the vocabulary, and {place}; give the id")


def model_inputs(model: Any, inputs: Names | None) -> ModelInputs:
    """Collects what is known of a training model's inputs: from the user, else from the model."""
    from_user = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs or ())
    try:
        names = [str(tensor.name) for tensor in model.inputs]
    except (AttributeError, TypeError, ValueError):  # no model, or a subclassed one
        return ModelInputs(from_user, len(from_user) or None)
    return ModelInputs(from_user or names, len(names))


def validation_data(validation: Any, known: Mapping[str, Any], fed: ModelInputs) -> Data | None:
    """Reads validation arrays."""
    if validation is None:
        return None
    named = read_npz(Path(validation)) if isinstance(validation, (str, Path)) else validation
    return sort_out(named, **known, model=fed)
