"""Finds what a model is scored on: sentences with their references, from its own data or from another file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.config import DataConfig
from seq2seq.errors import OptionError, Seq2SeqError
from seq2seq.inference.given import check_longest
from seq2seq.scoring.training_data import own_splits
from seq2seq.text.datasets import Splits, load_pairs, resolve
from seq2seq.text.pairs import UNLIMITED, Pair, read_pairs
from seq2seq.text.splits import References, scored_by, scored_items, source_key

PARTS = ("test", "validation")
BY = ("auto", "row", "source")
REPEATS = (
    "{} of {} rows repeat another row: each row is scored as it stands; "
    "--by source scores each distinct source once, with all its targets"
)


@dataclass(frozen=True)
class Material:
    """The items on which a model is scored.

    By "source", an item is a distinct source, and the targets of all its rows are its references. By "row", each row
    is an item with its own reference, so a row that repeats counts each time.
    """

    name: str  # for messages, such as "fra-eng, test part"
    references: list[References]
    notes: tuple[str, ...] = ()  # lines for the user
    by: str = "source"

    @classmethod
    def of(
        cls, name: str, pairs: Sequence[Pair], *, held_out: Sequence[Pair] = (), by: str = "auto", notes: Sequence[str]
    ) -> "Material":
        """Makes items of rows.

        Args:
            name: for messages.
            pairs: the rows to score.
            held_out: the rows that decide for "auto"; none: `pairs`.
            by: "row", "source", or "auto": by row where many rows repeat, see `scored_by`.
            notes: lines for the user; the choice of "auto" adds one.

        Raises:
            OptionError: `by` is unknown.

        """
        if by not in BY:
            raise OptionError(f"--by: expected one of {', '.join(BY)}, got {by!r}")
        chosen = scored_by(held_out or pairs) if by == "auto" else by
        said = [REPEATS.format(len(pairs) - len(set(pairs)), len(pairs))] if (by, chosen) == ("auto", "row") else []
        return cls(name, scored_items(pairs, chosen), (*notes, *said), chosen)


def find_material(
    bundle: Bundle, data: str | None = None, part: str | None = None, *, by: str = "auto", **options: Any
) -> Material:
    """Finds the items to score a model on: `own_material` without `data`, else `given_material`."""
    if part not in (None, *PARTS):
        raise OptionError(f"--split: expected one of {', '.join(PARTS)}, got {part!r}")
    if data is None:
        return own_material(bundle, part or "test", by=by)
    return given_material(bundle, data, part, by=by, **options)


def own_material(bundle: Bundle, part: str = "test", *, by: str = "auto") -> Material:
    """Reads a held-out part of the data that a model was trained on; splits the data as in training.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data is missing, or has changed.

    """
    splits = own_splits(bundle)
    name = bundle.record["trained_on"].get("name", bundle.data.data)
    if "adopted" in bundle.record:
        return adopted_material(bundle, name, splits, part, by=by)
    return part_material(name, splits, part, by=by)


def adopted_material(bundle: Bundle, name: str, splits: Splits, part: str, *, by: str) -> Material:
    """Makes items of the rows that an adopted model was not trained on, or of all rows where there are no others.

    Raises:
        OptionError: the validation part is asked for.

    """
    if part != "test":
        raise OptionError(
            f"--split {part}: {bundle.path} is adopted, and which rows validated it is not known; leave --split out"
        )
    trained = len(splits.train)
    if splits.test:
        return Material.of(f"{name}, rows after the first {trained}", splits.test, by=by, notes=())
    note = (
        f"{name}: the model was trained on all of its {trained} rows, so the scores show what it remembers, not how it "
        "translates; give --data FILE.tsv to score others"
    )
    return Material.of(f"{name}, all rows", splits.train, by=by, notes=[note])


def part_material(name: str, splits: Splits, part: str, *, by: str, notes: Sequence[str] = ()) -> Material:
    """Makes items of a part; the held-out parts decide together what "auto" is, as in training."""
    held_out = [*splits.validation, *splits.test]
    rows = getattr(splits, part)
    return Material.of(f"{name}, {part} part", rows, held_out=held_out, by=by, notes=[*notes, *splits.warnings])


def given_material(bundle: Bundle, data: str, part: str | None = None, *, by: str = "auto", **options: Any) -> Material:
    """Reads other data with the options of the model's own data: a whole file, or a part of a data set.

    Args:
        bundle: the model.
        data: a file, which is read whole; or a folder or a data set's name, of which one part is read.
        part: "test" (default) or "validation"; must be None for a file.
        by: what an item is, see `Material.of`.
        options: fields of DataConfig that differ from the model's.

    Raises:
        DataError: the data cannot be used.
        OptionError: a part of a file, or an option is out of range.

    """
    dataset = resolve(data)
    notes = [dataset.notice] if dataset.notice else []
    if dataset.kind != "pairs" or dataset.origin != "path" or "all" not in dataset.paths:
        config = DataConfig.from_dict({**bundle.data.to_dict(), **options}, where="--data")
        splits = load_pairs(dataset, config)
        return part_material(dataset.name, splits, part or "test", by=by, notes=notes)
    if part is not None:
        raise OptionError(f"--split {part}: all rows of {data} are scored; leave --split out")
    # the limits of length were for training: all given pairs are scored
    config = DataConfig.from_dict({**bundle.data.to_dict(), **UNLIMITED, **options}, where="--data")
    pairs, report = read_pairs(dataset.paths["all"], config)
    if "max_source_length" not in options:
        check_longest(pairs, config.source_sep, f"--data {data}")
    warning = report.warning()
    notes += [report.summary(), *([warning] if warning else [])]
    return Material.of(data, pairs, by=by, notes=notes)


def seen_in_training(bundle: Bundle, references: Sequence[References]) -> int | None:
    """Counts items whose source is in a model's training part; None where that data is missing now."""
    try:
        trained = {source_key(pair.source) for pair in own_splits(bundle).train}
    except (Seq2SeqError, OSError):
        return None
    return sum(source_key(several.source) in trained for several in references)
