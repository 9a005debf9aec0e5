"""What people look at while a run goes on, written into its folder after each epoch: curves and sample outputs.

All of it is made of the run's progress, which its checkpoints hold: a run that continues writes the same bytes as one
that was never interrupted. A file of the same name that lacks the mark of this program is left as it is.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from seq2seq.extras import has_matplotlib
from seq2seq.files.writing import PARTIAL, write_atomically
from seq2seq.scoring.line_chart import Line, Panel, svg_chart
from seq2seq.scoring.plots import draw_curves
from seq2seq.training.checkpoints import Progress

SAMPLES, CURVES, PICTURE = "samples.txt", "curves.svg", "curves.png"
VIEWS = (SAMPLES, CURVES, PICTURE)
MARK = "seq2seq train"  # in the first bytes of each of these files
MARK_WITHIN = 500  # bytes
LOSS, SCORE = "loss, nats per symbol", "score of the validation part, 0 to 100"
SCORES = {"chrf": ("chrF", 1.0), "exact": ("exact match", 100.0)}  # names of the history: for people, and the factor


def write_views(folder: Path, progress: Progress) -> None:
    """Writes the sample outputs and the curves of all epochs so far; each file is whole at every moment."""
    if progress.samples and is_free(folder / SAMPLES):
        write_atomically(folder / SAMPLES, samples_text(progress.samples))
    if progress.history and is_free(folder / CURVES):
        text = svg_chart(
            panels_of(progress.history), epochs_of(progress.history), x_label="epoch (dashed: the best one)",
            title=folder.name, marked=progress.best_epoch, mark=MARK,
        )  # fmt: skip
        write_atomically(folder / CURVES, text)


def write_picture(folder: Path, progress: Progress) -> None:
    """Draws the curves of a finished run with matplotlib, if it is installed."""
    if progress.history and has_matplotlib() and is_free(folder / PICTURE):
        picture = draw_curves(
            panels_of(progress.history), epochs_of(progress.history), title=folder.name, marked=progress.best_epoch,
            mark=MARK,
        )  # fmt: skip
        write_atomically(folder / PICTURE, picture)


def samples_text(samples: Sequence[Sequence[str]]) -> str:
    """Formats the sample outputs of each epoch, in the lines that training prints."""
    lines = [f"# {MARK}: outputs for sources of the validation part, or texts at three temperatures, after each epoch"]
    for epoch, several in enumerate(samples, 1):
        if several:  # an earlier version, which began the run, kept none
            lines += ["", f"epoch {epoch}", *several]
    return "".join(f"{line}\n" for line in lines)


def epochs_of(history: Sequence[dict[str, float]]) -> list[int]:
    """Returns the number of each epoch."""
    return [int(row["epoch"]) for row in history]


def panels_of(history: Sequence[dict[str, float]]) -> list[Panel]:
    """Returns the panel of the losses, and that of the scores, which a language model lacks."""

    def line(name: str, key: str, factor: float = 1.0) -> Line:
        return Line(name, [factor * row[key] for row in history])

    scores = tuple(line(name, key, factor) for key, (name, factor) in SCORES.items() if key in history[0])
    losses = Panel(LOSS, (line("training", "train_loss"), line("validation", "loss")))
    return [losses, Panel(SCORE, scores)] if scores else [losses]


def is_view(path: Path) -> bool:
    """Returns whether this program wrote a file of such a name, or began to."""
    if path.name.removesuffix(PARTIAL) not in VIEWS or path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(MARK_WITHIN)
    return MARK.encode() in head or (path.name.endswith(PARTIAL) and not head)


def both_names(path: Path) -> tuple[Path, Path]:
    """Returns a file's name, and that of the unfinished file."""
    return path, path.with_name(path.name + PARTIAL)


def is_free(path: Path) -> bool:
    """Returns whether the name, and that of the unfinished file, are free or this program's."""
    return all(is_view(each) or not os.path.lexists(each) for each in both_names(path))


def remove_views(folder: Path) -> None:
    """Removes what this module wrote into a folder."""
    for name in VIEWS:
        for path in both_names(folder / name):
            if is_view(path):
                path.unlink()
