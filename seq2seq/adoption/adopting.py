"""Adopts a trained Keras model: the model and its data in, a model folder of ours out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2seq.adoption.folder import check_free
from seq2seq.adoption.language import adopt_language_model
from seq2seq.adoption.material import Told
from seq2seq.adoption.original import Original
from seq2seq.adoption.tracing import trace
from seq2seq.adoption.translator import adopt_translator
from seq2seq.config import DataConfig
from seq2seq.corpus import Pair
from seq2seq.datasets import resolve
from seq2seq.errors import AdoptionError, DataError, OptionError
from seq2seq.files import sha256_of
from seq2seq.foreign.files import collect, read_npz, read_vocabulary_file
from seq2seq.foreign.layout import sort_out
from seq2seq.foreign.models import TRAIN, load_model, quiet, sort_models
from seq2seq.foreign.vocabularies import Table, read_table
from seq2seq.loading import load


def adopt(
    model: Any,
    data: str | Path,
    folder: str | Path,
    *,
    arrays: Any = None,
    vocabularies: Sequence[Any] = (),
    config: DataConfig | None = None,
    start: str | None = None,
    end: str | None = None,
    pad: str | None = None,
    rows: int | None = None,
    source_length: int | None = None,
    window: int | None = None,
    overwrite: bool = False,
    record: dict[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Any:
    """Writes a model folder that decodes as the model does; returns the Translator or LanguageModel in it.

    Args:
        model: a trained functional or Sequential Keras model.
        data: the file it was trained on: source, tab, target; or the text of a language model.
        folder: receives the folder, which must not be there.
        arrays: what it was fitted to, as a mapping of names or (inputs, targets); read symbol by symbol if they are
            the data's first rows.
        vocabularies: of source and target: lists, or mappings from symbol to id.
        config: how the data is read: columns, separators, lowercase.
        start, end, pad: the symbols that begin, end and fill rows, or their ids.
        rows: how many first rows of the data it was trained on.
        source_length: what sources were filled up to.
        window: symbols that a language model reads before each prediction.
        overwrite: replace a model folder.
        record: where the model came from, for the folder's config.json.
        report: receives what is concluded, a line each.

    Raises:
        AdoptionError: the model or the data has something that does not fit; the message says what.
        BundleError: the folder is there.
        DataError: the data cannot be read.

    """
    folder = Path(folder)
    check_free(folder, overwrite=overwrite)
    for name, value in (("rows", rows), ("source-length", source_length), ("window", window)):
        if value is not None and value < 1:
            raise OptionError(f"--{name}: expected at least 1, got {value}")
    config = config or DataConfig(data=str(data))
    path = data_path(str(data))
    with quiet():
        traced = trace(model, "the model")
        original = Original(model, traced)
        tables = [table_of(value, number) for number, value in enumerate(vocabularies)]
        laid_out = sort_out(arrays, pads={}, start=None, end=None) if arrays is not None else None
        told = Told((config.source_sep, config.target_sep), config.lowercase, rows, source_length, start, end, pad)
        record = {**(record or {}), "data": {"name": path.name, "sha256": sha256_of(path)}}
        shared: dict[str, Any] = {
            "config": config, "data": laid_out, "tables": tables, "record": record, "report": report,
        }  # fmt: skip
        if traced.source is not None:
            if window is not None:
                raise OptionError(f"--window {window}: is for language models, and this is an encoder-decoder")
            pairs = read_rows(path, config)
            if rows is not None and rows > len(pairs):
                raise OptionError(f"--rows: expected at most the {len(pairs)} rows of {path}, got {rows}")
            adopt_translator(original, folder, pairs, told, **shared)
        else:
            for name, value in (("rows", rows), ("source-length", source_length)):
                if value is not None:
                    raise OptionError(f"--{name} {value}: is for encoder-decoders, and this is a language model")
            adopt_language_model(original, folder, path, told, window=window, **shared)
    return load(folder)


def adopt_files(paths: Sequence[Path], data: str, folder: Path, *, allow_lambda: bool = False, **options: Any) -> None:
    """Adopts what is in files: a model, and beside it arrays and vocabularies.

    Args:
        paths: model, arrays and vocabularies, or a folder of these.
        data: a path, or the name of a data set.
        folder: receives the model folder.
        allow_lambda: open models with Lambda layers.
        options: those of `adopt`; `vocabularies` are paths, before those found.

    Raises:
        DataError: a file cannot be read.
        OptionError: there is no model, or several that may be meant.

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
    """Reads a vocabulary; `number` 0 is the source's."""
    return read_table(value, name or f"the {('source', 'target')[min(number, 1)]} vocabulary")


def data_path(data: str) -> Path:
    """Finds the file of a path or a data set's name.

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


def read_rows(path: Path, config: DataConfig) -> list[Pair]:
    """Reads pairs as tutorials do, with every character as it is; rows without both columns are left out.

    Raises:
        DataError: it is not UTF-8, or holds no such row.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text: {error}") from error
    columns = config.source_col - 1, config.target_col - 1
    rows = [line.split("\t") for line in text.split("\n")]
    pairs = [Pair(row[columns[0]], row[columns[1]]) for row in rows if len(row) > max(columns)]
    pairs = [Pair(*pair[::-1]) if config.reverse else pair for pair in pairs if pair.source and pair.target]
    if not pairs:
        raise DataError(
            f"{path}: expected the pairs that the encoder-decoder was trained on, source<TAB>target, got no line with "
            f"text in the columns {config.source_col} and {config.target_col}"
        )
    return pairs
