"""GET /runs and GET /runs/{name}: how trainings went, or go, for the curves of the page."""

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from seq2seq.bundle.record import CONFIG, HISTORY, MEMBER, kind_in
from seq2seq.errors import BundleError
from seq2seq.files.reading import read_json
from seq2seq.files.writing import PARTIAL
from seq2seq.serving.refusals import Refusal, printable, responses
from seq2seq.serving.schemas import RunAnswer, RunDetails
from seq2seq.serving.service import Service

SAMPLES = "samples.txt"
RUN, CURRENT, PROGRESS = "run.json", "current", "progress.json"  # what a training writes before it is finished
SAMPLE_BYTES = 1 << 20  # of the end of SAMPLES

Row = dict[str, Any]


def routes(service: Service) -> APIRouter:
    """Returns the endpoints."""
    router = APIRouter(dependencies=[Depends(service.gate.check_header)])
    folder = service.settings.runs

    @router.get("/runs", response_model=list[RunAnswer], responses={**responses(403, 500)})
    def runs() -> JSONResponse:
        """Lists the trainings, the newest last."""
        return JSONResponse([{"name": run.name, "finished": is_finished(run)} for run in runs_in(folder)])

    @router.get("/runs/{name}", response_model=RunDetails, responses={**responses(403, 404, 500)})
    def run(name: str) -> JSONResponse:
        """Returns a row for each epoch of a training, and its samples."""
        # a name is only compared with those that are there, so that none leads out of the folder
        found = next((run for run in runs_in(folder) if run.name == name), None)
        if found is None:
            raise Refusal(404, f"name: expected one of GET /runs, got {printable(name)[:60]!r}")
        content = {"name": found.name, "finished": is_finished(found), "history": history_of(found)}
        return JSONResponse({**content, "samples": samples_of(found)})

    return router


def runs_in(folder: Path) -> list[Path]:
    """Returns the folders of trainings by their last change; those with names that UTF-8 cannot hold are left out."""
    marks = (CONFIG, RUN, CURRENT, HISTORY, f"member-1/{RUN}")
    try:
        found = [path for path in folder.iterdir() if any((path / mark).is_file() for mark in marks) or has_begun(path)]
        return sorted(
            (path for path in found if printable(path.name) == path.name), key=lambda run: run.stat().st_mtime
        )
    except OSError:
        return []


def has_begun(path: Path) -> bool:
    """Returns whether a folder holds what a training has there before its first checkpoint, which claims the folder."""
    try:
        return all(inner.name.endswith(PARTIAL) or MEMBER.fullmatch(inner.name) for inner in path.iterdir())
    except OSError:  # it is a file, or cannot be read
        return False


def is_finished(run: Path) -> bool:
    """Returns whether a training has written its model."""
    return kind_in(run) is not None


def history_of(run: Path) -> list[Row]:
    """Returns the rows of a training; those of an ensemble say of which member they are."""
    members = sorted(
        (path for path in run.glob("member-*") if MEMBER.fullmatch(path.name)), key=lambda path: int(path.name[7:])
    )
    if members:
        return [{"member": member.name, **row} for member in members for row in history_of(member)]
    try:
        text = (run / HISTORY).read_text(encoding="utf-8")
        return [numbers(row) for row in csv.DictReader(text.splitlines())]
    except (OSError, ValueError, csv.Error):
        return [numbers(row) for row in progress_of(run)]


def progress_of(run: Path) -> Iterable[Mapping[str, Any]]:
    """Returns the rows of a training that is not finished, as its last checkpoint has them."""
    try:
        name = (run / CURRENT).read_text(encoding="utf-8").strip()
        rows = read_json(run / Path(name).name / PROGRESS)["history"]
    except (OSError, ValueError, KeyError, TypeError, BundleError):
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def numbers(row: Mapping[Any, Any]) -> Row:
    """Returns the values of a row as numbers; None for what is no finite number, which JSON cannot hold."""
    found: Row = {}
    for name, value in row.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        found[printable(str(name))] = number if math.isfinite(number) else None
    return found


def samples_of(run: Path) -> str | None:
    """Returns the samples of a training, or the end of many; None if there are none."""
    try:
        with (run / SAMPLES).open("rb") as file:
            file.seek(max(0, (run / SAMPLES).stat().st_size - SAMPLE_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return None
