"""What a model learns from a teacher: its outputs for sources without targets, and its probabilities at each step.

The teacher is a finished translator of any kind, usually an ensemble. NumPy runs it, on all cores, without TensorFlow.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG, RUNS, TRANSLATOR, named_bundle
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.cores import core_count
from seq2seq.errors import BundleError, DataError, OptionError, excerpt
from seq2seq.fields import flag_of
from seq2seq.files.reading import sha256_of
from seq2seq.inference.forcing import fed_best
from seq2seq.inference.threads import single_threaded_products, spread
from seq2seq.inference.translator import Translator
from seq2seq.presets import with_defaults
from seq2seq.scoring.training_data import training_data
from seq2seq.search_config import DecodingConfig
from seq2seq.text.batches import Ragged
from seq2seq.text.datasets import resolve
from seq2seq.text.edits import action_count
from seq2seq.text.lines import read_lines
from seq2seq.text.readings import Reading
from seq2seq.training.task import Run

KEPT = 8  # most probable ids of a step whose probabilities are kept
BATCH_ROWS = 256  # fixed, so that the probabilities do not depend on the number of cores
SHARE = 0.5  # of the loss


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A finished model that another one learns from."""

    translator: Translator
    unlabelled: Sequence[str]  # distinct sources without targets, to learn its outputs from
    sha256: Mapping[str, str]  # of its config.json, and of the file of unlabelled sources

    def __str__(self) -> str:
        members = len(self.translator.bundle.members)
        return f"{self.translator.bundle.path}{f' ({members} members)' if members else ''}"


def distil_run(
    chosen: Mapping[str, Mapping[str, Any]],
    *,
    teacher: Path,
    data: str | None = None,
    unlabelled: str | None = None,
    folder: Path | None = None,
    **others: Any,
) -> Run:
    """Makes the run of a model that learns from a teacher.

    Args:
        chosen: the options that were given, by section (model, train), names to values.
        teacher: a translator's folder, or the name of a model of the package. The new model reads and writes what it
            does, with the same architecture.
        data: a data set's name or a path, read as the teacher's data; None: the teacher's own data.
        unlabelled: a file of sources without targets, one a line.
        folder: None: `runs/` and the teacher's name with `-distilled`.
        others: the other fields of a Run.

    Raises:
        BundleError: the teacher is not a finished translator, or does not record its data.
        DataError: the data or the file is absent, or cannot be used.
        OptionError: an option is unknown, out of range, or contradicts the teacher.

    """
    teacher = named_bundle(teacher)
    bundle = load_bundle(teacher)
    if bundle.kind != TRANSLATOR:
        raise BundleError(f"--teacher {teacher}: expected a {TRANSLATOR}, got a {bundle.kind}; give another --teacher")
    folder = folder or RUNS / f"{teacher.resolve().name}-distilled"
    inside = folder.resolve(), teacher.resolve()
    if inside[0] in (inside[1], *inside[1].parents) or inside[1] in inside[0].parents:
        raise OptionError(f"--model {folder}: is the teacher's folder, or holds it, or is in it; give another --model")
    model = check_options(chosen, bundle.model.architecture)
    dataset = training_data(bundle, purpose="learn from other pairs") if data is None else resolve(data)
    if dataset.kind != "pairs":
        raise OptionError(f"--data {data}: expected pairs, as the teacher learnt from, got a {dataset.kind}")
    translator, sha256 = Translator(bundle), {"teacher": sha256_of(teacher / CONFIG)}
    lines: list[str] = []
    if unlabelled is not None:
        lines = read_sources(unlabelled, translator)
        sha256["unlabelled"] = sha256_of(Path(unlabelled))
    return Run(
        folder=folder,
        dataset=dataset,
        data=dataclasses.replace(bundle.data, data=bundle.data.data if data is None else data),
        model=ModelConfig.from_dict(model, where="options"),
        train=TrainingConfig.from_dict(with_defaults("pairs", TrainingConfig, chosen["train"]), where="options"),
        teacher=Teacher(translator, lines, sha256),
        **others,
    )


def check_options(chosen: Mapping[str, Mapping[str, Any]], architecture: str) -> dict[str, Any]:
    """Returns the options of a model that learns from a teacher of this architecture.

    Raises:
        OptionError: an option contradicts the teacher, or means nothing for one model of pairs.

    """
    for name in chosen.get("data", {}):
        raise OptionError(f"{flag_of(name)}: the data is read as the teacher's was; leave it out")
    members = chosen["train"].get("members", 1)
    if members != 1:
        raise OptionError(f"--members {members}: distill makes one model; leave it out")
    asked = chosen["model"].get("architecture", "auto")
    if asked not in ("auto", architecture):
        raise OptionError(
            f"--architecture {asked}: expected the teacher's, {architecture}, since probabilities are learnt step by "
            "step; leave it out"
        )
    return with_defaults("pairs", ModelConfig, {**chosen["model"], "architecture": architecture})


def read_sources(path: str, translator: Translator) -> list[str]:
    """Reads the distinct sources of a file, one a line; empty lines are left out.

    Raises:
        DataError: the file is absent, empty or not UTF-8, or a line has no tags where the model reads tags.

    """
    lines, undecodable, *_ = read_lines(path)
    for index, row in undecodable.items():
        raise DataError(
            f"{path}:{index + 1}: expected UTF-8 text, got {excerpt(row)}; convert the file: iconv -f latin1 -t utf-8"
        )
    translator.check_lines(lines)
    found = list(dict.fromkeys(line for line in lines if line.strip()))
    if not found:
        raise DataError(f"--unlabelled {path}: expected a source on each line, got no text; give another file")
    return found


class Labelled(NamedTuple):
    """Sources with the teacher's own outputs as targets."""

    sources: list[Reading]
    paths: list[list[int]]  # the ids that write each output, with START and END


def labelled(
    teacher: Teacher, *, longest: int | None, progress: Callable[..., None] = lambda share, *parts: None
) -> Labelled:
    """Returns the unlabelled sources with the teacher's greedy outputs.

    Args:
        teacher: with its unlabelled sources.
        longest: symbols of the longest source that is used; None: all.
        progress: called with the share of the sources that is done, 0 to 1, and what is done, in words.

    Returns:
        The sources in their order, without those whose output was cut off before its end.

    """
    translator, vocabulary = teacher.translator, teacher.translator.target_vocabulary
    sources: list[Reading] = []
    targets: list[Reading] = []
    lines = list(teacher.unlabelled)
    read = [translator.encode(line, "map", number, lambda *_: None) for number, line in enumerate(lines, 1)]
    fitting = [index for index, one in enumerate(read) if one.ids and (longest is None or len(one.ids) <= longest)]
    outputs = translator.outputs([lines[index] for index in fitting], DecodingConfig())
    for done, (index, (output,)) in enumerate(zip(fitting, outputs, strict=True), 1):
        progress(done / len(fitting), f"unlabelled sources: {done} of {len(fitting)}")
        if output.finished:
            sources.append(read[index])
            targets.append(Reading([], vocabulary.ids_of(output.symbols), output.symbols))
    return Labelled(sources, translator.writer.paths(sources, targets) if sources else [])


class SoftTargets(NamedTuple):
    """A teacher's distributions at each step of R rows, N steps together: 4 bytes for each of K ids.

    Ids are int16 up to 32 767 ids, and probabilities float16.
    """

    lengths: np.ndarray  # int64 (R,): steps of each row
    starts: np.ndarray  # int64 (R,): where each row's steps begin
    ids: np.ndarray  # int (N, K), the most probable first
    probs: np.ndarray  # float16 (N, K), whose sum is 1

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distributions of some rows, each right-padded with 0 to the longest.

        Args:
            rows: int (B,), their numbers.

        Returns:
            Ids int32 (B, T, K) and probabilities float32 (B, T, K).

        """
        lengths = self.lengths[rows]
        steps = np.arange(int(lengths.max(initial=0)))
        real = steps < lengths[:, None]
        places = np.where(real, self.starts[rows][:, None] + steps, 0)
        ids, probs = self.ids[places].astype(np.int32), self.probs[places].astype(np.float32)
        return ids * real[..., None], probs * real[..., None]


def soft_targets(
    translator: Translator,
    sources: Sequence[Reading],
    paths: Ragged,
    *,
    progress: Callable[..., None] = lambda share, *parts: None,
) -> SoftTargets:
    """Computes a teacher's distributions along given outputs, without dropout; no random numbers are involved.

    Args:
        translator: the teacher.
        sources: of each row.
        paths: the ids that write each row's target, with START and END.
        progress: called with the share of the rows that is done, 0 to 1, and what is done, in words.

    """
    symbols = len(translator.target_vocabulary)
    size = action_count(symbols) if translator.bundle.edits else symbols
    lengths = paths.lengths - 1
    starts = np.cumsum(lengths) - lengths
    shape = (int(lengths.sum()), min(KEPT, size))
    ids, probs = np.zeros(shape, np.int16 if size <= 2**15 else np.int32), np.zeros(shape, np.float16)
    finished: list[int] = []  # rows of each batch that is done
    one_at_a_time = threading.Lock()  # batches are computed side by side

    def compute(rows: np.ndarray) -> None:
        state = translator.writer.start([sources[row] for row in rows])
        best, kept = fed_best(translator.runtime, state, paths.padded(rows), shape[1])
        for row, one, weights in zip(rows.tolist(), best, kept, strict=True):
            place = slice(starts[row], starts[row] + lengths[row])
            ids[place], probs[place] = one[: lengths[row]], weights[: lengths[row]]
        with one_at_a_time:
            finished.append(len(rows))
            done = sum(finished)
            progress(done / len(lengths), f"the teacher's probabilities: {done} of {len(lengths)} rows")

    order = np.argsort(-lengths, kind="stable")
    batches = [order[start : start + BATCH_ROWS] for start in range(0, len(order), BATCH_ROWS)]
    with single_threaded_products():
        spread(compute, batches, workers=core_count())
    return SoftTargets(lengths, starts, ids, probs)
