"""POST /doctor: examines files of a client as the verb does, in a process of its own with limits."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile

from seq2seq.serving.checks import Places
from seq2seq.serving.connection import while_connected
from seq2seq.serving.refusals import Refusal, printable, responses
from seq2seq.serving.service import Service

SUFFIXES = (".npz", ".keras", ".h5", ".hdf5", ".json", ".tsv", ".txt")
PAIRS = (".tsv", ".txt")
MOST_FILES = 20
MOST_BYTES = 64 << 20  # of a request
REPORT_BYTES = 4 << 20
# sets limits, then becomes `python -m seq2seq.doctor`
LIMITED = """
import resource, runpy, sys
cpu, memory, size = map(int, sys.argv[1:4])
for limit, most in (("CPU", cpu), ("AS", memory), ("FSIZE", size), ("CORE", 0)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + limit), (most, most))
sys.argv[1:4] = []
runpy.run_module("seq2seq.doctor", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Bounds:
    """What an examination may use."""

    seconds: float = 180.0  # wall clock
    cpu_seconds: int = 120
    memory: int = 6 << 30  # bytes of address space, of which TensorFlow reserves some 2 GiB
    file_size: int = 256 << 20  # bytes of a file that it writes


BOUNDS = Bounds()
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        }
    },
}


def routes(service: Service) -> APIRouter:
    """Returns the endpoint."""
    router = APIRouter()
    places = Places(1, "examination runs", "number of servers")

    @router.post(
        "/doctor",
        responses={
            **responses(400, 403, 404, 413, 429, 500, 503),
            200: {"description": "The report of `seq2seq doctor --json`"},
        },
        dependencies=[Depends(service.gate.count), Depends(service.gate.check_header)],
        openapi_extra={"requestBody": BODY},
    )
    async def doctor(request: Request) -> JSONResponse:
        """Examines arrays, Keras models, vocabularies and pairs."""
        if not service.settings.doctor:
            raise Refusal(404, "the doctor is off here; start the server with --doctor")
        places.take()
        try:
            async with request.form(max_files=MOST_FILES) as form:
                uploads = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
                with tempfile.TemporaryDirectory(prefix="seq2seq-doctor-") as folder:
                    await store(uploads, Path(folder))
                    return JSONResponse(await while_connected(request.receive, report(Path(folder))))
        finally:
            places.free()

    return router


async def store(uploads: Sequence[UploadFile], folder: Path) -> None:
    """Writes files into a folder, under safe names.

    Raises:
        Refusal: there is none, or one of a kind that is not examined.

    """
    if not uploads:
        raise Refusal(400, f"files: expected at least one file ({', '.join(SUFFIXES)}), got none", param="files")
    (folder / "files").mkdir()
    for number, upload in enumerate(uploads, 1):
        path = folder / "files" / safe_name(upload.filename or "", number)
        with path.open("xb") as file:
            while block := await upload.read(1 << 20):
                file.write(block)


def safe_name(given: str, number: int) -> str:
    """Returns a name of letters, digits, `_` and `-` with a known suffix, which no other file of the request has."""
    stem, dot, suffix = given.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if dot + suffix.lower() not in SUFFIXES:
        raise Refusal(
            400,
            f"files: expected names that end in {', '.join(SUFFIXES)}, got {printable(given)[-60:]!r}",
            param="files",
        )
    return f"{re.sub('[^A-Za-z0-9_-]+', '_', stem)[:60]}-{number}.{suffix.lower()}"


async def report(folder: Path, bounds: Bounds | None = None) -> Any:
    """Returns the report on the files of a folder.

    Raises:
        Refusal: they cannot be examined, or not within the bounds.

    """
    bounds = bounds or BOUNDS
    limits = map(str, (bounds.cpu_seconds, bounds.memory, bounds.file_size))
    pairs = [path for path in sorted((folder / "files").iterdir()) if path.suffix in PAIRS]
    options = ["--pairs", str(pairs[0].rename(folder / f"pairs{pairs[0].suffix}"))] if pairs else []
    with (folder / "out").open("xb") as out, (folder / "err").open("xb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", LIMITED, *limits, "--json", "files", *options),
            cwd=folder,
            env=environment(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            await asyncio.wait_for(process.wait(), bounds.seconds)
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
    with (folder / "out").open("rb") as out:
        said = out.read(REPORT_BYTES + 1)
    try:
        return json.loads(said)
    except ValueError:
        raise Refusal(400, f"files: could not be examined: {reason(folder, process.returncode, bounds)}") from None


def environment(folder: Path) -> dict[str, str]:
    """Returns the variables of the process; none of the server's own, such as its key, but where programs are."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    places = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return {**kept, **places, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def reason(folder: Path, code: int | None, bounds: Bounds) -> str:
    """Returns why there is no report: the error of the verb, or the bounds."""
    lines = (folder / "err").read_bytes()[-4096:].decode("utf-8", "replace").splitlines()
    if code == 2 and lines and "error: " in lines[-1]:
        return printable(lines[-1].partition("error: ")[2].replace(str(folder), "")).removeprefix("/")
    return (
        f"it took more than {bounds.seconds:g} seconds, {bounds.cpu_seconds} seconds of a processor or "
        f"{bounds.memory >> 20} MiB of memory, or failed (status {code}); examine the files with `seq2seq doctor`"
    )
