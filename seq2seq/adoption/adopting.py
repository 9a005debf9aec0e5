"""Turns a trained Keras model and its data into a model folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.adoption.candidates import Adoption, UserHints
from seq2seq.adoption.folder import check_free
from seq2seq.adoption.language_model import adopt_language_model
from seq2seq.adoption.source_model import OriginalModel
from seq2seq.adoption.tracing import trace
from seq2seq.adoption.translator import adopt_translator
from seq2seq.api import load
from seq2seq.config import DataConfig
from seq2seq.errors import AdoptionError, DataError, OptionError
from seq2seq.files.reading import sha256_of
from seq2seq.foreign.files import collect, read_npz, read_vocabulary_file
from seq2seq.foreign.layout import sort_out
from seq2seq.foreign.models import TRAIN, load_model, open_model, quiet, sort_models
from seq2seq.foreign.vocabularies import Table, read_table
from seq2seq.text.datasets import resolve


def adopt(
    model: Any,
    data: str | Path,
    folder: str | Path,
    *,
    arrays: Any = None,
    vocabularies: Sequence[Any] = (),
    config: DataConfig | None = None,
    overwrite: bool = False,
    record: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[..., None] = lambda share, *parts: None,
    **hints: Any,
) -> Any:
    """Writes a model folder that decodes as the model does; returns the Translator or LanguageModel in it.

    Args:
        model: a trained functional or Sequential model of Keras 3 or of tf_keras, or its path.
        data: the file it was trained on: source, tab, target; or the text of a language model.
        folder: where the model folder is written; it must not exist.
        arrays: what it was fitted to, as a mapping of names or (inputs, targets); ids are read from them if their rows
            are the data's first rows.
        vocabularies: of source and target: lists, or mappings from symbol to id.
        config: how the data is read: columns, separators, lowercase.
        overwrite: replace a model folder.
        record: where the model came from, for the folder's config.json.
        report: called with each line of what was found out.
        progress: called with the share that is done, 0 to 1 or None, and what is being done.
        hints: what the user knows: `rows`, `source_length`, `window`, `start`, `end` and `pad` of UserHints.

    Raises:
        AdoptionError: something in the model or the data does not fit; the message names it.
        BundleError: the folder exists already.
        DataError: the data cannot be read.
        OptionError: a number is below 1, or does not apply to this kind of model.

    """
    folder = Path(folder)
    check_free(folder, overwrite=overwrite)
    config = config or DataConfig(data=str(data))
    separators = config.source_sep, config.target_sep
    told = UserHints(separators=separators, lowercase=config.lowercase, **hints)
    path = data_path(str(data))
    with quiet():
        model, _ = open_model(model)
        adoption = Adoption(
            original=OriginalModel(model, trace(model, "the model")),
            data=path,
            folder=folder,
            arrays=sort_out(arrays, pads={}, start=None, end=None) if arrays is not None else None,
            tables=[table_of(value, number) for number, value in enumerate(vocabularies)],
            hints=told,
            config=config,
            record={**(record or {}), "data": {"name": path.name, "sha256": sha256_of(path)}},
            report=report,
            progress=progress,
        )
        language = adoption.original.parts.source is None
        kind, other = (
            ("a language model", "encoder-decoders") if language else ("an encoder-decoder", "language models")
        )
        for option in ("--rows", "--source-length") if language else ("--window",):
            if option in told.numbers:
                raise OptionError(f"{option} {told.numbers[option]}: is for {other}, and this is {kind}")
        (adopt_language_model if language else adopt_translator)(adoption)
    return load(folder)


def adopt_files(paths: Sequence[Path], data: str, folder: Path, *, allow_lambda: bool = False, **options: Any) -> None:
    """Adopts a model from files, with arrays and vocabularies.

    Args:
        paths: model, arrays and vocabularies, or a folder of these.
        data: a path, or the name of a data set.
        folder: where the model folder is written.
        allow_lambda: open models with Lambda layers.
        options: those of `adopt`; `vocabularies` are paths, which come before those among `paths`.

    Raises:
        DataError: a file cannot be read.
        OptionError: there is no model, or more than one.

    """
    check_free(folder, overwrite=bool(options.get("overwrite")))
    found = collect(paths)
    if found.bundles:
        raise OptionError(f"{found.bundles[0]}: is a model folder of this package already; use it as it is")
    if not found.models:
        raise OptionError("expected a trained model (.keras or .h5) among the paths, got none; save it with model.save")
    data_path(data)
    with quiet():
        models = {path.name: load_model(path, allow_lambda=allow_lambda)[0] for path in found.models}
    parts = sort_models(models)
    if TRAIN not in parts:
        raise AdoptionError(
            f"expected the model that was fitted, got {' and '.join(models)}, which seem to be an inference encoder "
            "and decoder; save the model that fit was called on"
        )
    chosen = next(path for path in found.models if models[path.name] is parts[TRAIN])
    options["vocabularies"] = [
        table_of(read_vocabulary_file(Path(path)), number, str(path))
        for number, path in enumerate([*options.get("vocabularies", ()), *found.vocabularies])
    ]
    if found.arrays:
        options["arrays"] = read_npz(found.arrays[0])
    adopt(parts[TRAIN], data, folder, **options, record={"model": chosen.name, "sha256": sha256_of(chosen)})


def table_of(value: Any, number: int, name: str = "") -> Table:
    """Reads a vocabulary; `number` 0 is that of the source."""
    return read_table(value, name or f"the {('source', 'target')[min(number, 1)]} vocabulary")


def data_path(data: str) -> Path:
    """Returns the file that a path or the name of a data set stands for.

    Raises:
        DataError: there is none.

    """
    path = Path(data).expanduser()
    if path.is_file():
        return path
    dataset = resolve(data)
    if "all" not in dataset.paths:
        raise DataError(f"--data {data}: expected one file, got a data set of several or none; name the file")
    return dataset.paths["all"]
