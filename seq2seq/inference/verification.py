"""Checks a model folder: each part has the hash that was recorded, and the model still gives the recorded outputs."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from seq2seq.bundle import load_bundle
from seq2seq.bundle_record import CANARY, LANGUAGE_MODEL, read_record
from seq2seq.files import check_hash
from seq2seq.inference.canary import read_canary, replay_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator


def verify_bundle(folder: Path, *, runtime: str = "auto") -> None:
    """Makes every check of a model folder.

    Raises:
        BundleError: the first check that fails.

    """
    for check in part_checks(folder):
        check()
    for check in member_checks(folder):
        check()
    check_canary(folder, runtime)


def part_checks(folder: Path) -> Iterator[Callable[[], str]]:
    """Yields the check of each part that a folder's own config.json lists; raises as `read_record`."""
    for name, expected in read_record(folder)["sha256"].items():
        yield partial(check_part, folder, name, expected)


def member_checks(folder: Path) -> Iterator[Callable[[], str]]:
    """Yields the check of each part of an ensemble's members, which must be whole themselves."""
    for member in read_record(folder).get("members", []):
        for name, expected in read_record(folder / member)["sha256"].items():
            yield partial(check_part, folder, f"{member}/{name}", expected)


def check_part(folder: Path, name: str, expected: str) -> str:
    """Checks the hash of one part of a model folder; raises as `check_hash`."""
    check_hash(folder / name, expected)
    return f"{name}: sha256 {expected[:12]}..."


def check_canary(folder: Path, runtime: str) -> str:
    """Checks that the model gives the recorded outputs; raises as `replay_canary`."""
    canary = read_canary(folder / CANARY)
    bundle = load_bundle(folder)
    model: LanguageModel | Translator
    if bundle.kind == LANGUAGE_MODEL:
        model = LanguageModel(bundle, runtime=runtime)
    else:
        model = Translator(bundle, runtime=runtime)
    if not canary:  # every output has a near-tie, for example because the model has learnt nothing
        return "canary: empty; the model loads"
    replay_canary(model, canary)
    return f"canary: {len(canary)} inputs give the same text and log-probabilities ({runtime} runtime)"
