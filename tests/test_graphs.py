"""The ONNX graphs compute what the NumPy runtime computes, for every form of model."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROWS
from tiny_language import make_model

from seq2seq import decode, generate
from seq2seq.bundle.folder import ensemble_of, load_bundle
from seq2seq.bundle.record import PRETRAINED, named_bundle
from seq2seq.bundle.weights import weight_shapes
from seq2seq.config import ModelConfig
from seq2seq.decoding import select_rows, select_sources
from seq2seq.inference import onnx_runtime
from seq2seq.inference.runtimes import make_action_runtime, make_runtime, make_text_runtime
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, PAD, START
from seq2seq.text.pairs import Pair

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from seq2seq.graphs.models import graphs_of  # noqa: E402 - needs onnx

FORMS = {
    "LSTM": {},
    "two layers": {"layers": 2},
    "one direction": {"bidirectional": False},
    "GRU": {"rnn": "gru", "layers": 2},
    "additive attention": {"attention": "bahdanau"},
    "no attention": {"attention": "none", "layers": 2},
    "hard gates, no bridge": {"gates": "hard_sigmoid", "bridge": "none"},
    "logits from the attention": {"combine": "none", "attention": "bahdanau"},
    "other encoder layers": {"encoder_layers": 3, "layers": 2, "wiring": "2,-"},
    "transducer": {"architecture": "transducer"},
    "transducer with GRU": {"architecture": "transducer", "rnn": "gru", "layers": 2},
}


def random_model(bundle, seed=1, **sizes):
    """A model of random weights whose states and logits have about the size of a trained model's."""
    model = ModelConfig(hidden_size=8, embedding_size=6, **sizes)
    source_size = len(bundle.source_vocabulary) if bundle.source_vocabulary else 0
    tags = bool(source_size and bundle.source_vocabulary.features_sep and model.architecture == "transducer")
    shapes = weight_shapes(model, source_size=source_size, target_size=len(bundle.target_vocabulary), has_tags=tags)
    random = np.random.default_rng(seed)
    weights = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return dataclasses.replace(bundle, model=model, weights=weights)


def joint(path, *members):
    """An ensemble, with its graphs in place of its members, as an export has them."""
    members = tuple(dataclasses.replace(each, path=Path(f"member-{at}")) for at, each in enumerate(members, 1))
    return ensemble_of(path, members)


def graph_bytes(bundle):
    return {name: graph.finished() for name, graph in graphs_of(bundle).items()}


def as_export(bundle):
    """The same model as its export is loaded."""
    return dataclasses.replace(bundle, graphs=graph_bytes(bundle), members=(), weights={})


def runtimes(bundle):
    """The runtime of the graphs, and NumPy's."""
    make = make_action_runtime if bundle.edits else make_runtime
    return make(as_export(bundle), "auto"), make(bundle, "numpy")


def rows_of(size, count=7, longest=9):
    """Ids of sources of different lengths, END last, and of up to two tags."""
    random = np.random.default_rng(2)
    lengths = np.r_[longest, random.integers(1, longest, count - 1)]
    rows = np.full((count, longest), PAD, np.int32)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = [*random.integers(END + 1, size, length - 1), END]
    return rows, random.integers(END + 1, size, (count, 2)).astype(np.int32) * np.array([1, 0], np.int32)


def largest_difference(models, states, count, steps=8):
    """Feeds both runtimes the same possible ids; returns the largest difference of their logits."""
    random, largest = np.random.default_rng(3), 0.0
    tokens = np.full(count, START, np.int32)
    for _ in range(steps):
        found = [model.step(tokens, state) for model, state in zip(models, states, strict=True)]
        (logits, expected), states = zip(*found, strict=True)
        np.testing.assert_array_equal(np.isinf(logits), np.isinf(expected))
        finite = np.isfinite(expected)
        largest = max(largest, float(np.abs(logits[finite] - expected[finite]).max()))
        tokens = np.array([random.choice(np.flatnonzero(row[END + 1 :])) for row in finite], np.int32) + END + 1
    return largest


@pytest.fixture
def tiny(tmp_path, tiny_bundle):
    """Makes models of random weights, see `random_model`; each kind's vocabularies are built once."""
    made = {}

    def make(seed=1, **sizes):
        kind = sizes.get("architecture", "attention")
        if kind not in made:
            made[kind] = load_bundle(tiny_bundle(kind, **({"architecture": kind} if kind == "transducer" else {})))
        return random_model(made[kind], seed, **sizes)

    return make


def start(runtime, bundle, rows, tags):
    return runtime.start(rows, tags) if bundle.edits else runtime.start(rows)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_translator_gives_numpy_s_logits(tiny, form):
    bundle = tiny(**FORMS[form])
    rows, tags = rows_of(len(bundle.source_vocabulary))
    models = runtimes(bundle)
    three = np.repeat(np.arange(len(rows)), 3)  # three hypotheses of each source
    states = [select_rows(start(each, bundle, rows, tags), three) for each in models]
    assert largest_difference(models, states, len(three)) <= 1e-5
    kept = [select_sources(state, np.array([4, 1]), 3) for state in states]
    assert largest_difference(models, kept, 6) <= 1e-5


def test_attention_weights_are_numpy_s(tiny):
    bundle = tiny()
    rows, _ = rows_of(len(bundle.source_vocabulary))
    tokens = np.full(len(rows), START, np.int32)
    found, expected = (each.attend(tokens, each.start(rows))[2] for each in runtimes(bundle))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found[rows == PAD] == 0).all()


@pytest.mark.parametrize("forms", [("LSTM", "GRU", "no attention"), ("transducer", "transducer with GRU")])
def test_an_ensemble_is_one_graph_of_the_mean_of_its_members(tiny, tmp_path, forms):
    bundle = joint(tmp_path, *(tiny(seed, **FORMS[form]) for seed, form in enumerate(forms)))
    rows, tags = rows_of(len(bundle.source_vocabulary))
    models = runtimes(bundle)
    assert {name.split("hidden")[0] for name in models[0].rows if "hidden" in name} == {
        f"member_{at}_" for at, _ in enumerate(forms, 1)
    }
    assert largest_difference(models, [start(each, bundle, rows, tags) for each in models], len(rows)) <= 1e-5


@pytest.mark.parametrize("architecture", ["attention", "transducer"])
def test_tags_are_read_as_numpy_reads_them(tiny_bundle, architecture):
    rows = [f"{row}\tA;{row[0]}" for row in ROWS]
    bundle = load_bundle(tiny_bundle("tagged", rows=rows, data={"features_col": 3}, architecture=architecture))
    lines = ["abcd.\tA;a", "ef.\tnew;A", "gh.", "ij.\t"]
    found, expected = ([one[0] for one in each.outputs(lines, DecodingConfig())] for each in (
        Translator(as_export(bundle)), Translator(bundle),
    ))  # fmt: skip
    assert [one.text for one in found] == [one.text for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)


@pytest.mark.parametrize("sizes", [{}, {"rnn": "gru", "layers": 2}])
def test_a_language_model_gives_numpy_s_logits(tmp_path, sizes):
    bundle = make_model(tmp_path / "text").bundle
    bundle = random_model(bundle, **{"bidirectional": False, "attention": "none", **sizes})
    models = make_text_runtime(as_export(bundle), "auto"), make_text_runtime(bundle, "numpy")
    assert largest_difference(models, [each.start(5) for each in models], 5) <= 1e-5


def test_graphs_pass_onnx_s_own_check_and_state_their_opset(tiny):
    for graph in graph_bytes(tiny(architecture="transducer")).values():
        model = onnx.load_from_string(graph)
        onnx.checker.check_model(model, full_check=True)
        assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]


@pytest.mark.skipif(not (PRETRAINED / "fra-eng").is_dir(), reason="this copy has no models")
@pytest.mark.parametrize("name", ["fra-eng", "eng-g2p"])
def test_a_trained_model_gives_numpy_s_texts_and_log_probs(name):
    lines = ["I like tea.", "Where is my red book?"] if name == "fra-eng" else ["through", "gnome"]
    bundle = load_bundle(named_bundle(name))
    models = [Translator(bundle, runtime=runtime) for runtime in ("onnx", "numpy")]
    found, expected = ([one[0] for one in each.outputs(lines, DecodingConfig())] for each in models)
    assert [one.text for one in found] == [one.text for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
    pairs = [Pair(one.source, one.text) for one in expected]
    for one, other in zip(*(each.score(pairs) for each in models), strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)


# the runtime


@pytest.mark.parametrize("options", ["", "--beam-size 3", "--temperature 1 --seed 3", "--prefix c"])
@pytest.mark.parametrize("sizes", [{}, {"architecture": "transducer"}])
def test_decode_writes_the_same_with_every_option(tiny_bundle, tmp_path, sizes, options):
    folder = tiny_bundle(**sizes)
    (tmp_path / "lines.txt").write_text("abcd.\nefgh.\n\nmn.\n", encoding="utf-8")
    texts = {}
    for runtime in ("numpy", "onnx"):
        output = tmp_path / f"{runtime}.txt"
        arguments = [
            "--model",
            folder,
            "--runtime",
            runtime,
            "-i",
            tmp_path / "lines.txt",
            "-o",
            output,
            *options.split(),
        ]
        assert decode.main([str(argument) for argument in arguments]) == 0
        texts[runtime] = output.read_text(encoding="utf-8")
    assert texts["onnx"] == texts["numpy"] and len(texts["numpy"].split("\n")) == 5


def test_generate_writes_the_same(tmp_path, capsys):
    make_model(tmp_path / "text")
    texts = set()
    for runtime in ("numpy", "onnx"):
        arguments = ["--model", str(tmp_path / "text"), "--runtime", runtime, "--prompt", "Ada", "--seed", "1"]
        assert generate.main([*arguments, "--length", "40"]) == 0
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1 and len(texts.pop()) > 40


def test_batches_do_not_change_an_output(tiny_bundle):
    model = Translator(load_bundle(tiny_bundle()), runtime="onnx")
    lines = [row.split("\t")[0] for row in ROWS]
    assert model.translate(lines, batch_size=1) == model.translate(lines, batch_size=64)


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_an_absent_library_is_one_line(tiny_bundle, monkeypatch, capsys, library):
    for module in [name for name in sys.modules if name.startswith("seq2seq.graphs")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    assert decode.main(["--model", str(tiny_bundle()), "--runtime", "onnx", "-i", "x"]) == 2
    message = f"--runtime onnx: needs {library}, the extra `onnx`: run pip install '.[onnx]' in the folder of seq2seq's"
    assert message in capsys.readouterr().err


def test_the_runtime_runs_a_graph_on_one_core(tiny_bundle):
    graphs = graph_bytes(load_bundle(tiny_bundle()))
    session = onnx_runtime.open_session(graphs, "step")
    assert session.get_session_options().intra_op_num_threads == 1
