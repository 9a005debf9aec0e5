"""Trains the members of an ensemble, each as a run in a folder of its own, and makes one model of them."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import Bundle, join_members, save_bundle
from seq2seq.bundle.record import LANGUAGE_MODEL, METRICS, kind_in, read_record
from seq2seq.errors import BundleError
from seq2seq.files.reading import read_json
from seq2seq.inference.canary import choose_canary, choose_text_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.inference.verification import part_checks
from seq2seq.scoring.evaluation import headline, metrics_of
from seq2seq.scoring.text_evaluation import evaluate_text
from seq2seq.text.datasets import load_pairs
from seq2seq.text.splits import group_references
from seq2seq.training.ray_members import train_side_by_side
from seq2seq.training.run_folder import (
    is_member,
    is_single,
    member_folders,
    remove_members,
    remove_model,
    remove_run,
    report_foreign_names,
)
from seq2seq.training.run_record import FINISHED, WAYS_OUT, finished_as_asked
from seq2seq.training.task import Run

CANARY_SOURCES = 300  # of the validation part, among which the canary is chosen
MOST_SYMBOLS = 100_000  # of a text's validation part are scored


def train_members(run: Run, train_into: Callable[[Run], Path]) -> None:
    """Trains the members of an ensemble one after the other, or on a Ray cluster, and makes one model of them.

    A member that is finished is passed over, so the same command continues an interrupted ensemble.

    Args:
        run: of the ensemble, in a folder that may be used.
        train_into: trains one member into its folder, or continues it.

    """
    folder, members = run.folder, member_runs(run)
    if not run.overwrite and all(map(finished_as_asked, members)) and is_joined(folder, members):
        run.report(f"{folder}: {FINISHED}")
        return
    report_foreign_names(run)
    if run.overwrite:
        others = [held for held in member_folders(folder) if held != members[0].folder]
        replace = partial(remove_others, folder, others)
        members[0] = dataclasses.replace(members[0], overwrite=True, on_first_checkpoint=replace)
    if run.ray:
        trained = train_side_by_side(members, run.ray, train_into, run.report)
    else:
        trained = train_in_turn(members, run, train_into)
    for _ in trained:
        if not is_whole(folder):  # this member was trained for longer
            remove_model(folder)
    join(run, members)
    run.report(f"finished: {folder}")


def train_in_turn(members: Sequence[Run], run: Run, train_into: Callable[[Run], Path]) -> Iterator[None]:
    """Trains members one after the other; yields after each."""
    started = run.started
    for number, member in enumerate(members, 1):
        run.report(f"member {number} of {len(members)}, seed {member.train.seed}")
        train_into(dataclasses.replace(member, started=started))
        started = time.monotonic()
        yield


def remove_others(folder: Path, others: Sequence[Path]) -> None:
    """Removes what the first member of a new ensemble replaces: a model or an ensemble, and its other members."""
    remove_model(folder)
    remove_run(folder)
    remove_members(others)


def replacing_members(run: Run) -> Run:
    """Returns the run of one model; if its folder holds an ensemble, its first checkpoint replaces the members."""
    held = member_folders(run.folder)
    return dataclasses.replace(run, on_first_checkpoint=partial(remove_members, held)) if held else run


def member_runs(run: Run) -> list[Run]:
    """Returns the run of each member: the seeds count up, and each has an equal share of --max-minutes."""
    count, minutes = run.train.members, run.train.max_minutes
    return [
        Run(
            folder=run.folder / f"member-{index + 1}",
            dataset=dataclasses.replace(run.dataset, notice=None),
            data=run.data,
            model=run.model,
            train=dataclasses.replace(
                run.train,
                members=1,
                seed=run.train.seed + index,
                max_minutes=None if minutes is None else minutes / count,
            ),
            report=run.report,
            profile=run.profile and index == 0,
            tensorboard=run.tensorboard and run.tensorboard / f"member-{index + 1}",
        )
        for index in range(count)
    ]


def check_members(run: Run) -> None:
    """Refuses a folder that holds an ensemble where one model is asked for, or the reverse, or too many members.

    Raises:
        BundleError: it does, or another program's file or folder has the name of a member.

    """
    folder, asked = run.folder, run.train.members
    for member in member_runs(run) if asked > 1 else ():
        if os.path.lexists(member.folder) and not is_member(member.folder):
            raise BundleError(
                f"{member.folder}: has the name of a member, but this program did not write it, or not all of it; "
                "move it away, or give another --model"
            )
    if run.overwrite:
        return
    if asked > 1 and is_single(folder):
        raise BundleError(f"{folder}: holds one model, and --members {asked} asks for an ensemble; {WAYS_OUT}")
    held = [int(path.name.rpartition("-")[2]) for path in member_folders(folder)]
    if held and (asked == 1 or asked < held[-1]):
        raise BundleError(
            f"{folder}: holds members of an ensemble, up to member-{held[-1]}, and --members is {asked}; "
            f"give --members {max(2, held[-1])} or more, {WAYS_OUT.removeprefix('give ')}"
        )


def is_whole(folder: Path) -> bool:
    """Returns whether a folder holds a finished ensemble whose members and scores are those that it was made with."""
    if kind_in(folder) is None:
        return False
    try:
        for check in part_checks(folder):
            check()
    except BundleError:
        return False
    return True


def is_joined(folder: Path, members: list[Run]) -> bool:
    """Returns whether a folder holds a finished ensemble of just these members."""
    return is_whole(folder) and read_record(folder).get("members") == [member.folder.name for member in members]


def join(run: Run, members: list[Run]) -> None:
    """Scores the finished members as one model, and writes what makes them one."""
    bundle = join_members(run.folder, [member.folder.name for member in members])
    outcome = text_outcome if bundle.kind == LANGUAGE_MODEL else pairs_outcome
    metrics, canary = outcome(run, bundle)
    save_bundle(bundle, metrics=metrics, history=[], canary=canary)


def pairs_outcome(run: Run, bundle: Bundle) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns the scores and the canary of an ensemble of translators; reports the scores of the test part."""
    translator, splits = Translator(bundle), load_pairs(run.dataset, run.data)
    metrics = {part: metrics_of(translator, getattr(splits, part)) for part in ("validation", "test")}
    for member in bundle.members:
        run.report(f"{member.path.name}: {headline(read_json(member.path / METRICS)['test'])}")
    test = metrics["test"]
    run.report(f"all {len(bundle.members)} together, test part, {test['n']} sources: {headline(test)}")
    lines = [several.source for several in group_references(splits.validation)[:CANARY_SOURCES]]
    return metrics, choose_canary(translator, lines)


def text_outcome(run: Run, bundle: Bundle) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns the scores and the canary of an ensemble of language models; reports the scores."""
    model = LanguageModel(bundle)
    scores = evaluate_text(model, most=MOST_SYMBOLS)
    for member in bundle.members:
        bits = read_json(member.path / METRICS)["validation"]["bits_per_character"]
        run.report(f"{member.path.name}: {bits:.3f} bits per character")
    run.report(f"all {len(bundle.members)} together: {scores.bits_per_character:.3f} bits per character")
    return {"validation": scores._asdict()}, choose_text_canary(model)
