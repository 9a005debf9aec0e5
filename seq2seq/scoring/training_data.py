"""Finds the data that a model was trained on, and checks its hash."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.errors import BundleError, DataError
from seq2seq.files.reading import sha256_of
from seq2seq.text.datasets import Dataset, Splits, bundled_path, load_pairs, resolve
from seq2seq.text.pairs import read_pairs
from seq2seq.text.splits import source_key


def training_data(bundle: Bundle, data: str | None = None, *, purpose: str = "score another file") -> Dataset:
    """Finds the data that a model was trained on; it must not have changed.

    Args:
        bundle: the model, which records its data and the sha256 of each file.
        data: a data set's name or a path, instead of the recorded places.
        purpose: of a translator's data, for a message: what other data is for.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data is missing, has changed, or differs from what `data` names.

    """
    origin = bundle.record.get("trained_on", {})
    expected = origin.get("sha256")
    if bundle.kind == LANGUAGE_MODEL:
        what, other, without = "text", "name a copy of it with --data", "leave out the options that compare with it"
    else:
        what, other, without = "data", f"give --data FILE.tsv to {purpose}", "give --data FILE.tsv"
    if not expected:
        raise BundleError(f"{bundle.path}: does not record its training data; {without}")
    if data is not None:
        dataset = resolve(data)
        if dataset.sha256 == expected:
            return dataset
        raise DataError(
            f"--data {data}: expected the {what} that the model was trained on (sha256 {digests(expected)}), "
            f"got sha256 {digests(dataset.sha256)}; give that {what}, or {without}"
        )
    reasons = []
    for found in _candidates(bundle, origin):
        if isinstance(found, DataError):
            reasons.append(f"it cannot be found: {found}")
        elif found.sha256 == expected:
            return found
        else:
            reasons.append(f"the data there now has sha256 {digests(found.sha256)}")
    raise DataError(
        f"{bundle.path}: expected the data it was trained on, {origin.get('name', bundle.data.data)!r} with sha256 "
        f"{digests(expected)}, but {reasons[0]}; restore that data, or {other}"
    )


def digests(sha256: dict[str, str]) -> str:
    """Returns the first characters of some digests."""
    return ", ".join(digest[:12] for digest in sha256.values())


def _candidates(bundle: Bundle, origin: dict[str, Any]) -> Iterator[Dataset | DataError]:
    """Yields the data set or the error of each place where the data may be, the likeliest first."""
    try:
        yield resolve(bundle.data.data)
    except DataError as error:
        yield error
    places = [{part: Path(path) for part, path in origin.get("paths", {}).items()}]
    if origin.get("origin") == "bundled":
        # a later download of the same name hides the bundled file
        with contextlib.suppress(DataError):
            places.append({"all": bundled_path(origin["name"])})
    for paths in filter(None, places):
        with contextlib.suppress(OSError):
            yield _recorded(bundle, origin, paths)


def _recorded(bundle: Bundle, origin: dict[str, Any], paths: dict[str, Path]) -> Dataset:
    """Makes a data set of recorded files, whatever their names are now."""
    return Dataset(
        name=origin.get("name", bundle.data.data),
        kind="text" if bundle.kind == LANGUAGE_MODEL else "pairs",
        origin=origin.get("origin", "path"),
        paths=paths,
        sha256={part: sha256_of(path) for part, path in paths.items()},
        licence=origin.get("licence"),
    )


def own_splits(bundle: Bundle) -> Splits:
    """Reads the data that a model was trained on, and splits it as in training.

    An adopted model was trained on the first rows of its data; what is left of them is its test part, without sources
    that occur among them, and there is no validation part.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data is missing, or has changed.

    """
    dataset = training_data(bundle)
    rows = bundle.record.get("adopted", {}).get("rows")
    if rows is None:
        return load_pairs(dataset, bundle.data)
    pairs, report = read_pairs(dataset.paths["all"], bundle.data)
    seen = {source_key(pair.source) for pair in pairs[:rows]}
    left = [pair for pair in pairs[rows:] if source_key(pair.source) not in seen]
    return Splits(pairs[:rows], [], left, [report], [])
