"""`export --format savedmodel`: TensorFlow alone translates lines as the program does, in another process."""

import json
import re
import subprocess
import sys

import pytest
from conftest import bundle_maker
from exportable import KINDS, lines_for
from records import read_config, write_config
from tiny_language import make_model

from seq2seq.bundle.folder import join_members, load_bundle
from seq2seq.errors import BundleError
from seq2seq.exporting import saved_model
from seq2seq.exporting.formats import export_model
from seq2seq.exporting.options import ExportOptions
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig

# asks the models in a process that has TensorFlow and not this package
DRIVER = """
import contextlib, io, json, os, sys
import tensorflow as tf
if not os.environ.get('SEQ2SEQ_TORTURE'):  # as in conftest.py
    tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})

def plain(tensors):
    return {name: [text.decode() if isinstance(text, bytes) else text for text in values.numpy().ravel().tolist()]
            for name, values in tensors.items()}

def by_steps(functions, ids):
    # greedy decoding of a translator with attention, one step at a time
    state = functions['encode'](source_ids=tf.constant([ids]))
    token, written = 2, []
    while len(written) < 20:
        after = functions['step'](token_ids=tf.constant([token]), **state)
        token = 3 + int(tf.argmax(after.pop('logits')[0, 3:]))
        state = {**state, **after}
        if token == 3:
            break
        written.append(token)
    return written

asked, found = json.load(sys.stdin), {}
for folder, (script, lines, ids) in asked.items():
    os.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, {})
    functions = tf.saved_model.load('.').signatures
    results = {'printed': printed.getvalue(), 'names': sorted(functions)}
    if 'translate' in functions:
        given = tf.constant(lines)
        results['greedy'] = plain(functions['translate'](lines=given))
        results['beam'] = plain(functions['translate_beam'](
            lines=given, beam_size=tf.constant(4), length_penalty=tf.constant(0.7)))
        results['steps'] = [by_steps(functions, row) for row in ids]
        if lines[0].count('\\t'):
            try:
                functions['translate'](lines=tf.constant(['no tab']))
            except tf.errors.InvalidArgumentError as error:
                results['refused'] = str(error)
        else:
            try:
                functions['translate'](lines=tf.constant(['a' * 2001]))
            except tf.errors.InvalidArgumentError as error:
                results['refused'] = str(error)
    else:
        results['greedy'] = plain(functions['generate'](prompts=tf.constant(lines), length=tf.constant(12),
            temperature=tf.constant(0.0), seed=tf.constant(1, tf.int64)))
        results['drawn'] = [plain(functions['generate'](prompts=tf.constant(lines), length=tf.constant(12),
            temperature=tf.constant(1.0), seed=tf.constant(seed, tf.int64)))['texts'] for seed in (1, 1, 2)]
    found[folder] = results
assert 'seq2seq' not in sys.modules
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By name: the bundle, the lines, what another process found, and the README."""
    place = tmp_path_factory.mktemp("savedmodel")
    make = bundle_maker(place)
    models = {name: load_bundle(make(name, **KINDS[name])) for name in ("korean", "tagged")}
    (place / "both").mkdir()
    for number in (1, 2):
        make(f"both/member-{number}", seed=number, data={"lowercase": True})
    models["both"] = join_members(place / "both", ["member-1", "member-2"])
    models["text"] = make_model(place / "text").bundle
    asked = {}
    for name, bundle in models.items():
        folder = place / f"{name} exported"
        folder.mkdir()
        saved_model.export(bundle, folder, ExportOptions())
        script = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
        lines = lines_for(bundle) if name != "text" else ["The fer", "e\u0301q", "A"]
        asked[str(folder)] = script, lines, rows_of(bundle, lines) if name in ("korean", "both") else []
    result = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(asked), capture_output=True, text=True, cwd=place
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    return {
        name: (bundle, lines, each, (place / f"{name} exported" / "README.md").read_text(encoding="utf-8"))
        for (name, bundle), (_, lines, _), each in zip(models.items(), asked.values(), found.values(), strict=True)
    }


def rows_of(bundle, lines):
    """The ids that the encoder reads for lines."""
    translator = Translator(bundle)
    return [[*translator.encode(line, "map", 1, lambda *_: None).ids, 3] for line in lines[:2]]


@pytest.mark.parametrize("name", ["korean", "tagged", "both"])
def test_greedy_is_what_translate_writes_with_numpy(answers, name):
    bundle, lines, found, _ = answers[name]
    expected = [outputs[0] for outputs in Translator(bundle).outputs(lines, DecodingConfig())]
    assert found["greedy"]["texts"] == [output.text for output in expected]
    assert found["greedy"]["finished"] == [output.finished for output in expected]
    assert found["greedy"]["scores"] == pytest.approx([output.score for output in expected], rel=1e-5, abs=1e-5)
    assert len({output.text for output in expected}) > 2


@pytest.mark.parametrize("name", ["korean", "tagged", "both"])
def test_a_beam_finds_what_translate_finds_with_numpy_in_the_same_order(answers, name):
    bundle, lines, found, _ = answers[name]
    beam = {
        key: [values[start : start + 4] for start in range(0, len(values), 4)] for key, values in found["beam"].items()
    }
    config = DecodingConfig(beam_size=4, n_best=4, length_penalty=0.7)
    for place, outputs in enumerate(Translator(bundle).outputs(lines, config)):
        count = len(outputs)
        if not lines[place].strip():
            assert beam["texts"][place] == [""] * 4 and beam["scores"][place] == [0.0] * 4
            continue
        assert beam["texts"][place] == [output.text for output in outputs] + [""] * (4 - count)
        for key, field in (("scores", "score"), ("rank_scores", "rank_score")):
            assert beam[key][place][:count] == pytest.approx(
                [getattr(output, field) for output in outputs], rel=1e-5, abs=1e-5
            )
            assert beam[key][place][count:] == [-float("inf")] * (4 - count)


@pytest.mark.parametrize("name", ["korean", "both"])
def test_encode_and_step_write_what_translate_writes(answers, name):
    bundle, lines, found, _ = answers[name]
    outputs = Translator(bundle).outputs(lines[:2], DecodingConfig(max_length=20))
    assert found["steps"] == [several[0].token_ids for several in outputs]


def test_a_text_goes_on_as_generate_writes_it(answers):
    bundle, prompts, found, _ = answers["text"]
    model = LanguageModel(bundle)
    expected = [model.texts(prompt, length=12, temperature=0)[0] for prompt in prompts]
    assert found["greedy"]["texts"] == [one.text for one in expected]
    assert found["greedy"]["scores"] == pytest.approx([sum(one.log_probs) for one in expected], abs=1e-5)
    once, again, other = found["drawn"]
    assert once == again != other
    assert all(text.startswith("The fer") for text in (once[0], other[0]))


def test_what_decode_refuses_fails_the_call(answers):
    assert "expected text<TAB>tags; for a word without tags" in answers["tagged"][2]["refused"]
    assert "expected lines of at most 2000 symbols; cut them into sentences" in answers["both"][2]["refused"]


def test_the_readme_describes_each_signature_and_its_example_runs(answers):
    translating = ["encode", "serving_default", "step", "translate", "translate_beam"]
    for name, (bundle, _, found, readme) in answers.items():
        assert found["names"] == (["generate", "step"] if name == "text" else translating)
        for signature in found["names"]:
            assert f"### `{signature}`: " in readme
        assert found["printed"].startswith("[")
        assert f'-v "$PWD:/models/{bundle.path.name}/1"' in readme and "requests.post" in readme
    readme = answers["tagged"][3]
    for row in (
        "| input | `lines` | string | (B,) | source lines, UTF-8 |",
        "| input | `beam_size` | int32 | () | K, hypotheses of each line, such as 5 |",
        "| input | `tag_ids` | int32 | (B, F) | the known tags of each source, padded on the right with 0 |",
        "| output | `texts` | string | (B, K) | the outputs, UTF-8 |",
        "| output | `memory` | float32 | (B, S, 8) | the encoder's output; the same at each step |",
        "| output | `position` | int32 | (B,) | source symbols that were read |",
    ):
        assert row in readme
    assert "| output | `member_2_state_1` | float32 | (B, 8) |" in answers["both"][3]
    readme = answers["text"][3]
    assert "START (2) first" not in readme and "`encode`" not in readme and "1. Replace CR LF by LF." in readme
    assert "Ids 0 to 3 are never written" in readme


def test_a_model_that_reads_a_window_again_is_refused_with_the_way_out(tmp_path):
    make_model(tmp_path / "text")
    write_config(tmp_path / "text", {**read_config(tmp_path / "text"), "restarts": 5})
    with pytest.raises(BundleError) as refused:
        export_model(tmp_path / "text", "savedmodel", tmp_path / "new", ExportOptions())
    assert str(refused.value) == (
        f"{tmp_path / 'text'}: reads its last 5 symbols again at each step, and --format savedmodel writes models that "
        "carry a state; use --format keras"
    )
