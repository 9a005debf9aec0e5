"""Sends a model folder to a repository of a Hugging Face hub, and fetches one from there.

What arrives is safetensors, JSON, CSV and text alone, under the names that this program writes; it is verified before
it gets its name. What is sent is the model's own parts and a model card.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seq2seq.bundle.record import CONFIG, LARGEST, MIB, PULLED, public_record, read_record, sealed
from seq2seq.errors import BundleError, OptionError
from seq2seq.extras import installing
from seq2seq.files.folders import new_folder
from seq2seq.files.reading import sha256_of
from seq2seq.files.writing import json_text, write_json, written
from seq2seq.hub.card import CARD, LIBRARY, model_card
from seq2seq.hub.summary import summarize
from seq2seq.inference.verification import verify_bundle
from seq2seq.version import __version__

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LARGEST_MODEL = 4096 * MIB  # bytes of all its files together
Report = Callable[[str], None]


def open_hub() -> Any:
    """Returns the hub's client; the address and the token come from the environment, as its own tools take them.

    Raises:
        OptionError: the library is not installed.

    """
    try:
        import huggingface_hub
    except ImportError:
        raise OptionError(f"models push and pull need huggingface_hub, the extra `hub`: {installing('hub')}") from None
    address = os.environ.get("HF_ENDPOINT") or None
    return huggingface_hub.HfApi(endpoint=address, library_name="seq2seq", library_version=__version__)


@contextlib.contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Turns whatever the hub's library raises into one line that names the repository.

    Raises:
        BundleError: something failed.

    """
    try:
        yield
    except (BundleError, OptionError):
        raise
    except Exception as error:  # of its library and of the HTTP library beneath, which changed between its versions
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise BundleError(
                f"{tempfile.gettempdir()}: {os.strerror(error.errno)}, so {repository} cannot be fetched by way of it; "
                "make room there, or let TMPDIR name another folder"
            ) from error
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise BundleError(
            f"{repository}: the hub's answer cannot be used: {type(error).__name__}: {reason.rstrip('.')}; check the "
            "name, the connection, and your token (`hf auth login`, or HF_TOKEN)"
        ) from error


def check_repository(repository: str) -> str:
    """Returns the last part of a repository's name.

    Raises:
        OptionError: it is not OWNER/NAME.

    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII):
        raise OptionError(f"expected a repository as OWNER/NAME, got {repository!r}; such as me/fra-eng")
    return repository.partition("/")[2]


def push(folder: Path, repository: str, *, private: bool = False, revision: str | None = None) -> str:
    """Publishes a model folder with a model card; returns the address of the commit.

    Args:
        folder: of a finished model, which is verified first.
        repository: OWNER/NAME; it is made if it is absent.
        private: nobody but the owner sees it.
        revision: the branch; None: main.

    Raises:
        BundleError: the model is damaged, the repository holds something else, or the hub refuses.
        OptionError: the library is not installed, or the repository's name has another form.

    """
    check_repository(repository)
    verify_bundle(folder)
    card = model_card(summarize(folder), folder, repository)
    contents = {CARD: card.encode(), **public_files(folder)}
    hub = open_hub()
    from huggingface_hub import CommitOperationAdd

    with hub_errors(repository):
        hub.create_repo(repository, private=private or None, exist_ok=True)
        info = hub.model_info(repository)
        if private and not info.private:
            raise BundleError(f"{repository}: is public already, so --private is not kept; give another REPO")
        if revision:
            hub.create_branch(repository, branch=revision, exist_ok=True)
        check_ours(hub, repository, revision, set(contents))
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=what) for name, what in contents.items()]
        commit = hub.create_commit(
            repository, operations, commit_message="Add the model with seq2seq", revision=revision
        )
    return str(commit.commit_url)


def public_files(folder: Path) -> dict[str, bytes | Path]:
    """Returns the files of a model as others get them, by name: each config.json is without places of this computer."""
    record = read_record(folder)
    contents: dict[str, bytes | Path] = {name: folder / name for name in record["sha256"]}
    hashes = dict(record["sha256"])
    for member in record.get("members", ()):
        inner = public_files(folder / member)
        contents |= {f"{member}/{name}": content for name, content in inner.items()}
        config = inner[CONFIG]
        assert isinstance(config, bytes)
        hashes[f"{member}/{CONFIG}"] = hashlib.sha256(config).hexdigest()
    contents[CONFIG] = json_text(sealed({**public_record(record), "sha256": hashes})).encode()
    return contents


def check_ours(hub: Any, repository: str, revision: str | None, names: set[str]) -> None:
    """Raises BundleError where the repository holds files of these names that this program did not write."""
    listed = {file.rfilename for file in hub.model_info(repository, revision=revision).siblings or ()}
    taken = sorted(listed & names)
    if not taken:
        return
    with tempfile.TemporaryDirectory() as cache:
        ours = CARD in listed and LIBRARY in fetched(hub, repository, CARD, revision, cache).read_text(errors="replace")
    if not ours:
        raise BundleError(
            f"{repository}: holds {taken[0]}, which this program did not write; give another REPO or --revision"
        )


def fetched(hub: Any, repository: str, name: str, revision: str | None, cache: str) -> Path:
    """Fetches one file into the folder `cache`, and returns its path there.

    Raises:
        BundleError: it is larger than such a file may be.

    """
    from huggingface_hub import hf_hub_url

    largest = LARGEST.get(Path(name).name, MIB)
    url = hf_hub_url(repository, name, revision=revision, endpoint=hub.endpoint)
    size = hub.get_hf_file_metadata(url=url).size
    if size is None or size > largest:
        raise too_large(repository, name, size, largest)
    path = Path(hub.hf_hub_download(repository, name, revision=revision, cache_dir=cache))
    if path.stat().st_size > largest:
        raise too_large(repository, name, path.stat().st_size, largest)
    return path


def too_large(repository: str, name: str, size: int | None, largest: int) -> BundleError:
    """Returns the error for a file of more than the allowed bytes."""
    return BundleError(
        f"{repository}: {name} has {'an unknown number of' if size is None else size} bytes, expected at most "
        f"{largest}; it is not fetched"
    )


def pull(repository: str, folder: Path, *, revision: str | None = None, report: Report = lambda line: None) -> None:
    """Fetches a model into a new folder, complete and verified or not at all.

    Args:
        repository: OWNER/NAME.
        folder: receives the model; it does not exist, or is an empty folder.
        revision: a branch, tag or commit; None: main.
        report: receives a line for each file.

    Raises:
        BundleError: the folder holds something, the hub refuses, or what is there is no model or a damaged one.
        OptionError: the library is not installed, or the repository's name has another form.

    """
    check_repository(repository)
    hub = open_hub()
    way_out = "name another folder: DIR"
    with new_folder(folder, "the model", way_out) as beside:
        with hub_errors(repository), tempfile.TemporaryDirectory() as cache:
            commit = hub.model_info(repository, revision=revision).sha  # one state of the repository for all files

            def fetch(name: str) -> None:
                report(f"{repository}: {name}")
                arrived = fetched(hub, repository, name, commit, cache)
                with written(folder.resolve(), f"make room, change the permissions, or {way_out}"):
                    (beside / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(arrived, beside / name)
                size = sum(path.stat().st_size for path in beside.rglob("*") if path.is_file())
                if size > LARGEST_MODEL:
                    raise too_large(repository, "the model", size, LARGEST_MODEL)

            fetch_model(fetch, beside)
        verify_bundle(beside)
        source = {"repository": repository, "revision": commit, "config": sha256_of(beside / CONFIG)}
        write_json(beside / PULLED, source)


def fetch_model(fetch: Callable[[str], None], folder: Path, member: str = "") -> None:
    """Fetches config.json, then the parts that it lists; of an ensemble, then those of each member.

    Args:
        fetch: brings a file into `folder`.
        folder: receives the files.
        member: the name of an ensemble's member with `/`; empty: the model itself.

    Raises:
        BundleError: config.json is not a model's.

    """
    fetch(member + CONFIG)
    record = read_record(folder / member)
    for name in record["sha256"]:
        if not name.endswith(f"/{CONFIG}"):
            fetch(member + name)
    for name in record.get("members", []) if not member else []:
        fetch_model(fetch, folder, f"{name}/")
