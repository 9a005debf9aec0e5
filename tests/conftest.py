"""Fixtures that several test files share."""

import dataclasses
import errno
import gc
import os
import random
import signal
import sys
from pathlib import Path

import campaigns
import contracts
import hypothesis
import numpy as np
import pytest

# The verdict of a test depends on no clock, and without torture on no chance: the same examples in every run.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile(
    "torture", deadline=None, max_examples=2000, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile("torture" if os.environ.get("SEQ2SEQ_TORTURE") else "suite")

# a shell's background job ignores Ctrl-C, and so would the processes that tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# as many processes as cores: more threads in TensorFlow's operations only wait for each other
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

sys.meta_path.insert(0, contracts.Finder)  # before the package is imported

from seq2seq.bundle.folder import Bundle, save_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.config import TRANSDUCER, DataConfig, ModelConfig
from seq2seq.inference.canary import choose_canary
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END
from seq2seq.text.datasets import load_pairs, resolve
from seq2seq.text.dictionary import dictionary_text
from seq2seq.text.edits import action_count
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training import run_views
from seq2seq.training.architecture import learn_edits

pytest_addoption, pytest_configure = campaigns.pytest_addoption, campaigns.pytest_configure
campaign, TORTURE = campaigns.campaign, campaigns.TORTURE

# the files that take longest, which begin first, so that no process waits for the other at the end
SLOW = (
    "test_doctor_models", "test_adopt", "test_doctor_causes", "test_adopt_evidence", "test_notebooks", "test_run",
    "test_doctor_untrained", "test_export_savedmodel", "test_mutations", "test_worker_training", "test_corpus_kills",
    "test_transducer", "test_training", "test_export_keras", "test_web", "test_workers",
)  # fmt: skip
SYLLABLES = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op")
# 64 sources, 6 of them for test; those that begin with "ab" have two references
ROWS = [f"{one}{other}.\t{other}{one}!" for one in SYLLABLES for other in SYLLABLES]
ROWS += [f"ab{other}.\t{other}ab." for other in SYLLABLES]


def pytest_collection_modifyitems(items):
    """Lets the slow files begin; `--dist loadfile` gives each file to one process, which makes its fixtures once."""
    ranks = {name: rank for rank, name in enumerate(SLOW)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(SLOW)))


def pytest_collection_finish():
    """Lets the garbage collector look neither at what is imported nor at each of TensorFlow's many small objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Seeds what draws without a seed of its own, so that a test trains the same model in every order and process."""
    random.seed(1)
    np.random.seed(1)
    backend = sys.modules.get("tensorflow")
    if backend:
        backend.random.set_seed(1)


@pytest.fixture(autouse=True)
def plain_graphs():
    """Leaves TensorFlow's graphs as they are: to optimize one takes longer than a test runs it."""
    backend = sys.modules.get("tensorflow")
    if backend and not TORTURE:
        backend.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="module")
def one_shard():
    """Trains on undivided batches on any number of cores: half the graph, and the same model everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seq2seq.models.step.core_count", lambda: 1)
        yield


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Trains without curves.png, which takes a second to draw; a test of the picture turns it on."""
    monkeypatch.setattr(run_views, "has_matplotlib", lambda: False)


@pytest.fixture
def full_disk(monkeypatch):
    """Lets the system refuse what is flushed to the disk, after a number of files that still have room."""

    def fill(room=0, error=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        left = iter(range(room))
        flush = os.fsync

        def refuse(descriptor):
            if next(left, None) is None:
                raise error
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", refuse)

    return fill


@pytest.fixture
def real_corpora():
    """The folder of large corpora, which is not part of the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip("the large corpora are not here")
    return folder


@pytest.fixture
def tiny_bundle(tmp_path):
    """Makes finished model folders in the test's own folder, see `bundle_maker`."""
    return bundle_maker(tmp_path)


def bundle_maker(place):
    """Makes finished model folders whose weights are random, in milliseconds and without TensorFlow.

    The function that it returns takes the name of the folder, the rows of the data file beside it, `data` (fields of
    DataConfig), a seed of the weights, and fields of ModelConfig such as attention="none"; it returns the folder.
    """

    def make(name="tiny", *, rows=ROWS, data=None, seed=1, **sizes):
        sizes = {"hidden_size": 8, "embedding_size": 6, **sizes}
        file = place / f"{name}.tsv"
        file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        return random_bundle(place / name, DataConfig(data=str(file), **(data or {})), ModelConfig(**sizes), seed)

    return make


def random_bundle(folder, data, model, seed):
    """Writes a model of random weights for a data file into a new folder."""
    dataset = resolve(data.data)
    splits = load_pairs(dataset, data)
    features_sep = data.features_sep if data.features_col else ""
    sources = [pair.source for pair in splits.train]
    cut = bool(data.decompose)
    source = Vocabulary.build(sources, separator=data.source_sep, features_sep=features_sep, decompose=cut)
    target = Vocabulary.build((pair.target for pair in splits.train), separator=data.target_sep, decompose=cut)
    folder.mkdir()
    bundle = Bundle(
        path=folder,
        kind=TRANSLATOR,
        data=data,
        model=model,
        source_vocabulary=source,
        target_vocabulary=target,
        weights={},
        dictionary=dictionary_text(splits.train),
        record={
            "lengths": {
                "source": max(len(source.segment(line)) for line in sources),
                "target": max(len(target.segment(pair.target)) for pair in splits.train),
            },
            "trained_on": {
                "name": dataset.name,
                "origin": dataset.origin,
                "paths": {part: str(path) for part, path in dataset.paths.items()},
                "sha256": dataset.sha256,
                "licence": dataset.licence,
                "pairs": {part: len(getattr(splits, part)) for part in ("train", "validation", "test")},
            },
        },
    )
    if model.architecture == TRANSDUCER:
        bundle = dataclasses.replace(bundle, edits=learn_edits(splits.train, source, target))
    bundle = lively(bundle, sources, seed)
    canary = choose_canary(Translator(bundle), sources)
    save_bundle(bundle, metrics={}, history=[{"epoch": 1, "loss": 1.0}], canary=canary)
    return folder


def lively(bundle, sources, seed):
    """Draws weights until several outputs differ, end by themselves and are not empty."""
    sizes = len(bundle.source_vocabulary), len(bundle.target_vocabulary)
    for attempt in range(1000):
        random, tags = np.random.default_rng([seed, attempt]), bool(bundle.source_vocabulary.features_sep)
        weights = random_weights(bundle.model, *sizes, random, tags=tags)
        candidate = dataclasses.replace(bundle, weights=weights)
        found = [best[0] for best in Translator(candidate).outputs(sources, DecodingConfig())]
        if len({output.text for output in found if output.finished and output.text}) >= min(4, len(sources)):
            return candidate
    raise AssertionError("no weights gave several different outputs")


def random_weights(model, source_size, target_size, random, *, tags=False):
    """Draws weights under the names that the runtimes read; large enough that outputs differ and end."""
    shapes = {}
    hidden, gates = model.hidden_size, {"lstm": 4, "gru": 3}[model.rnn]

    def cell(name, inputs, units):
        shapes[f"{name}.kernel"] = (inputs, gates * units)
        shapes[f"{name}.recurrent_kernel"] = (units, gates * units)
        shapes[f"{name}.bias"] = (gates * units,) if model.rnn == "lstm" else (2, gates * units)

    def dense(name, inputs, units):
        shapes[f"{name}.kernel"] = (inputs, units)
        shapes[f"{name}.bias"] = (units,)

    shapes["source_embedding.embeddings"] = (source_size, model.embedding_size)
    transduces = model.architecture == TRANSDUCER
    written, written_size = ("action", action_count(target_size)) if transduces else ("target", target_size)
    shapes[f"{written}_embedding.embeddings"] = (written_size, model.embedding_size)
    # a transducer reads the memory at its position, and the tags, beside the action
    beside = transduces * (hidden + tags * model.embedding_size)
    if transduces and tags:
        shapes["tag_embedding.embeddings"] = (source_size, model.embedding_size)
    for index in range(model.layers):
        inputs = hidden if index else model.embedding_size + beside
        cell(f"decoder_{index}", inputs, hidden)
        inputs = hidden if index else model.embedding_size
        for way in ("_forward", "_backward") if model.bidirectional else ("",):
            cell(f"encoder_{index}{way}", inputs, hidden // 2 if way else hidden)
        for state in ("hc" if model.rnn == "lstm" else "h") if model.bidirectional and not transduces else "":
            dense(f"bridge_{index}_{state}", hidden, hidden)
    if transduces:
        dense("combine", hidden + beside, hidden)
        dense("logits", hidden, written_size)
    else:
        if model.attention == "luong":
            shapes["attention.kernel"] = (hidden, hidden)
        if model.attention == "bahdanau":
            shapes.update({f"attention.{part}_kernel": (hidden, hidden) for part in ("query", "memory")})
            shapes.update({"attention.bias": (hidden,), "attention.vector": (hidden, 1)})
        if model.attention != "none":
            dense("combine", 2 * hidden, hidden)
        dense("logits", hidden, target_size)
    weights = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["logits.bias"][END] = 2.0
    return weights
