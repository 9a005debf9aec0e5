"""Decodes a corpus into a folder: goes on with what is there, and says what was left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.corpus.decoding import Job, decode_tasks, together
from seq2seq.corpus.parts import Part
from seq2seq.corpus.record import Folder, Survey, Task, opened, survey
from seq2seq.corpus.writing import write_errors
from seq2seq.errors import DataError
from seq2seq.inference.translator import Translator
from seq2seq.terminal import LiveLine
from seq2seq.text.readings import Replacement


@dataclass(frozen=True)
class Corpus:
    """What is decoded, how, and into which folder."""

    parts: Sequence[Part]
    folder: Folder
    job: Job
    first_line: int  # number of the first line of all
    settings: Mapping[str, Any]  # that a run which goes on must share


@dataclass(frozen=True)
class Workers:
    """Who decodes; the results do not depend on it."""

    jobs: int | None  # None: as many as there are cores
    ray: bool = False
    address: str | None = None  # of a Ray cluster; None: one on this machine


@dataclass(frozen=True)
class Totals:
    """What all runs into a folder came to."""

    lines: int
    refused: int
    cut_off: int
    looked_up: int
    damaged: int  # parts


def run_corpus(
    corpus: Corpus,
    translator: Translator,
    workers: Workers,
    *,
    say: Callable[[str], None],
    notice: Callable[[Replacement, int], None],
    live: LiveLine,
) -> Totals:
    """Decodes what is left of a corpus.

    Args:
        corpus: what, and how.
        translator: the model.
        workers: who decodes.
        say: receives what the user should know.
        notice: receives unknown characters, each with the number of a line where it occurs.
        live: shows how far the run has come.

    Raises:
        OptionError: the folder has other results, or cannot be written.
        DataError: a part is damaged or a line cannot be decoded, and the job does not keep going.

    """
    folder, job = corpus.folder, corpus.job
    with opened(folder, corpus.settings, corpus.parts):
        tasks, damages = planned(corpus.parts, survey(folder, corpus.parts, job.fields), corpus.first_line)
        for damage in damages.values():
            if not job.keep_going:
                raise DataError(damage)
            say(damage)
        left = [task for task in tasks if not folder.finished(task)]
        if len(left) < len(tasks):
            say(f"{len(tasks) - len(left)} of {len(tasks)} parts were finished before")
        lines, all_lines = totals(folder, tasks, damages).lines, sum(task.lines for task in tasks)
        if workers.ray and left:
            from seq2seq.corpus.ray_engine import decode_on_ray

            steps = decode_on_ray(folder, left, job, translator.bundle.path, address=workers.address, jobs=workers.jobs)
        else:
            steps = decode_tasks(folder, left, job, lambda chunks: together(translator, chunks, jobs=workers.jobs))
        try:
            for step in steps:
                lines += step.lines
                if step.unknown:
                    live.clear()
                for replacement, line in step.unknown.values():
                    notice(replacement, line)
                live.show(lines / max(all_lines, 1), f"{lines} lines")
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"the same command goes on after {lines} of {all_lines} lines")
            raise
        write_errors(folder, corpus.parts, damages)
        return totals(folder, tasks, damages)


def planned(parts: Sequence[Part], surveys: Iterable[Survey], first: int) -> tuple[list[Task], dict[str, str]]:
    """Numbers the lines of all parts, one after another; a damaged part counts with the lines before the damage.

    Returns:
        What is to be decoded, in order; and the damages, by the names of the parts.

    """
    tasks, damages = [], {}
    for part, found in zip(parts, surveys, strict=True):
        if found.damage is None:
            tasks.append(Task(part, found.sha256, found.lines, first, found.bytes, found.mtime_ns))
        else:
            damages[part.name] = found.damage
        first += found.lines
    return tasks, damages


def totals(folder: Folder, tasks: Sequence[Task], damages: Mapping[str, str]) -> Totals:
    """Adds up the records of the parts."""
    found = [folder.start(task) for task in tasks]
    return Totals(
        sum(each.lines for each in found),
        sum(each.refused for each in found),
        sum(each.cut_off for each in found),
        sum(each.looked_up for each in found),
        len(damages),
    )
