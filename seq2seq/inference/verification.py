"""Checks a model folder: each part has the hash that was recorded, and the model still gives the recorded outputs."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from seq2seq.bundle.exported import DESCRIPTION, read_description
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CANARY, CONFIG, LANGUAGE_MODEL, check_part, check_seal, read_record
from seq2seq.errors import BundleError
from seq2seq.inference.canary import read_canary, replay_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.typed_json import damaged


def verify_bundle(folder: Path, *, runtime: str = "auto") -> None:
    """Makes every check of a model folder.

    Raises:
        BundleError: the first check that fails.

    """
    for check in part_checks(folder):
        check()
    check_canary(folder, runtime)


def part_checks(folder: Path, member: str = "") -> Iterator[Callable[[], str]]:
    """Yields the checks of a folder's config.json and of each part that it lists; then those of an ensemble's members.

    Args:
        folder: of the model.
        member: the name of an ensemble's member with `/`; empty: the model itself.

    """
    yield partial(check_record, folder, member)
    try:
        record = read_record(folder / member)
    except BundleError:  # the check above says so
        return
    for name, expected in record["sha256"].items():
        yield partial(check_listed, folder, member + name, expected)
    for name in record.get("members", ()) if not member else ():
        yield from part_checks(folder, f"{name}/")


def check_record(folder: Path, member: str) -> str:
    """Checks the config.json of a model or member; raises as `read_record` and `check_seal`."""
    record = read_record(folder / member)
    check_seal(folder / member, record)
    members = record.get("members", ())
    ensemble = f", ensemble of {len(members)}" if members else ""
    return f"{member}{CONFIG}: format {record['format']}, {record['kind']}{ensemble}"


def check_listed(folder: Path, name: str, expected: str) -> str:
    """Checks one part of a model folder; raises as `check_part`."""
    check_part(folder, name, expected)
    return f"{name}: sha256 {expected[:12]}..."


def check_export(folder: Path) -> str:
    """Reads an export, and opens its graphs; returns what it is. An export has no recorded outputs to replay.

    Raises:
        BundleError: it is damaged, or onnxruntime cannot open a graph.
        OptionError: onnxruntime is not installed.

    """
    bundle, found = load_bundle(folder), read_description(folder)
    (LanguageModel if bundle.kind == LANGUAGE_MODEL else Translator)(bundle)
    return f"{DESCRIPTION}: version {found.version}, {found.form}, {found.kind}; its files are as they were written"


def check_canary(folder: Path, runtime: str) -> str:
    """Checks that the model gives the recorded outputs; raises as `replay_canary`."""
    canary = read_canary(folder / CANARY)
    bundle = load_bundle(folder)
    model: LanguageModel | Translator
    if bundle.kind == LANGUAGE_MODEL:
        model = LanguageModel(bundle, runtime=runtime)
    else:
        model = Translator(bundle, runtime=runtime)
    if not canary:
        raise damaged(str(folder / CANARY), "no output is recorded, so nothing shows that the model gives what it gave")
    replay_canary(model, canary)
    return f"canary: {len(canary)} inputs give the same text and log-probabilities ({runtime} runtime)"
