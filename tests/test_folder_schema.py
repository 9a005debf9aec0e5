"""What a model folder may hold: names, shapes, dtypes, sizes and places, checked before anything is made of them."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from seq2seq import decode, verify
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG, EXCERPT, LARGEST, LONGEST_LINE, WEIGHTS, Lengths
from seq2seq.bundle.weights import LARGEST_TABLE, check_tables, weight_shapes
from seq2seq.config import ModelConfig
from seq2seq.errors import BundleError
from seq2seq.inference.canary import choose_canary, choose_text_canary, replay_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.special import END
from seq2seq.text.pairs import Pair
from seq2seq.typed_json import from_json
from tests.records import read_config, rehash, write_config
from tests.tiny_language import make_model

MIXED = "; the folder mixes parts of different models"
RESTORE = "; train again, or restore the file"


@pytest.fixture
def folder(tiny_bundle):
    return tiny_bundle()


@pytest.fixture
def refusal(capsys):
    """Decodes and verifies what must fail; returns the line of the error without its beginning."""

    def refusal(folder):
        assert verify.main(["--model", str(folder)]) == 2
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("FAILED   ") for line in lines)
        assert decode.main(["--model", str(folder), "--input", "/dev/null"]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        return captured.err.strip().removeprefix("seq2seq decode: error: ")

    return refusal


def edit(folder, change):
    """Changes config.json and no hash."""
    record = read_config(folder)
    change(record)
    (folder / CONFIG).write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["model"].update(layers=2), f"weight 'bridge_1_c.bias' is missing{MIXED}"),
        (lambda record: record["model"].pop("hidden_size"), "is damaged: no 'hidden_size' in the section 'model'"),
        (lambda record: record["model"].update(rnn="gru"), "weight 'bridge_0_c.bias' belongs to no layer of this con"),
        (lambda record: record["model"].update(bidirectional=False), "weight 'bridge_0_c.bias' belongs to no layer of"),
        (
            lambda record: record["model"].update(wiring="x"),
            "model.wiring: expected for each of 1 decoder layers",
        ),
        (lambda record: record["model"].update(wiring="1"), "of 0 or -, got '1'; use the version"),
        (lambda record: record["model"].update(encoder_layers=0), "model.encoder_layers: expected at least 1, got 0"),
        (lambda record: record["model"].update(hidden_size=10**12), f", 2000000000000){MIXED}"),
        (lambda record: record["model"].update(hidden_size=2**31), f", 4294967296){MIXED}"),
        (lambda record: record["model"].update(embedding_size=2**31), f", 2147483648){MIXED}"),
        (lambda record: record.update(lengths=5), "config.json: is damaged: lengths is 5; train again"),
        (lambda record: record["lengths"].update(target=10**9), f"target: expected at most {LONGEST_LINE}, got 10000"),
        (
            lambda record: record["lengths"].update(target=-5),
            "lengths: is damaged: target: expected at least 1, got",
        ),
        (lambda record: record.pop("lengths"), "config.json: is damaged: no 'lengths'; train again"),
        (lambda record: record.update(adopted={"rows": 1}), "is damaged: no 'source_form'; train again"),
        (
            lambda record: record.update(source_form={"fill": 0}),
            "source_form: expected at most 10000 ids from 1 to",
        ),
        (lambda record: record.update(source_form={"after": [3] * 10**4}), "ids from 1 to 20, got 10001 ids; train"),
        (lambda record: record.update(source_form={"length": 10**9}), "length: expected at most 10000, got 1000000000"),
        (lambda record: record.update(restarts=-1), "is damaged: restarts: expected at least 0, got -1; train again"),
        (lambda record: record.update(zzz=1), "config.json: is damaged: unknown key 'zzz'; train again"),
        (lambda record: record.update(kind=[]), "config.json: is damaged: kind is []; train again"),
        (lambda record: record.update(weights=None), "config.json: is damaged: weights is None; train again"),
        (lambda record: record.update(trained_on=None), "config.json: is damaged: trained_on is None; train again"),
        (lambda record: record["sha256"].update({WEIGHTS: "0"}), f"the sha256 of {WEIGHTS} is '0'; train again"),
        (lambda record: record["sha256"].update({"../x": "0" * 64}), "lists the file '../x', which is no part of a"),
        (
            lambda record: record["data"].update(lowercase=True),
            f"{CONFIG}: is not the file that was written (its sha",
        ),
        (lambda record: record["versions"].update(seq2seq="9\ud800"), "config.json: is damaged: versions is {"),
    ],
)
def test_a_changed_configuration_is_refused_without_a_new_hash(folder, refusal, change, message):
    write_config(folder, {**read_config(folder), "versions": {"seq2seq": "0.1.0"}})
    edit(folder, change)
    assert message in refusal(folder)


@pytest.mark.parametrize("brackets", ["[" * 1200 + "]" * 1200, '{"a":' * 1200 + "1" + "}" * 1200])
def test_nested_brackets_are_refused_in_one_line(folder, refusal, brackets):
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace('"lengths": {', f'"lengths": {brackets}, "x": {{', 1))
    assert "config.json: is damaged: " in refusal(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5000])
def test_a_number_that_is_none_is_refused(folder, refusal, number):
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace('"embedding_size": 6', f'"embedding_size": {number}', 1))
    assert refusal(folder).startswith(f"{folder / CONFIG}: ")


def test_a_newer_format_is_refused_by_its_name(folder, refusal):
    write_config(folder, {**read_config(folder), "format": 7, "versions": {"seq2seq": "3.0.1"}})
    assert refusal(folder) == (
        f"{folder / CONFIG}: has format 7, expected 1; use the version of seq2seq that wrote it ('3.0.1')"
    )


# with hashes recomputed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("combine.bias"), f"weight 'combine.bias' is missing{MIXED}"),
        (
            lambda weights: weights.update(other=np.ones(1, "f4")),
            "weight 'other' belongs to no layer of this confi",
        ),
        (
            lambda weights: weights.update({"combine.kernel": np.ascontiguousarray(weights["combine.kernel"].T)}),
            f"weight 'combine.kernel' has shape (8, 16), expected (16, 8){MIXED}",
        ),
        (
            lambda weights: weights.update({"combine.kernel": weights["combine.kernel"][:0]}),
            f"weight 'combine.kernel' has shape (0, 8), expected (16, 8){MIXED}",
        ),
        (
            lambda weights: weights.update({"combine.bias": weights["combine.bias"].astype("c8")}),
            f"is damaged: weight 'combine.bias' is C64, expected float32{RESTORE}",
        ),
        (
            lambda weights: weights.update({"combine.bias": weights["combine.bias"].astype("f2")}),
            f"is damaged: weight 'combine.bias' is float16, expected float32{RESTORE}",
        ),
        *(
            (
                lambda weights, number=number: weights["combine.bias"].__setitem__(3, number),
                "is damaged: weight 'combine.bias' has a number that is not finite, or beyond 1e+12",
            )
            for number in (np.inf, -np.inf, np.nan, 3e38)
        ),
    ],
)
def test_changed_weights_are_refused_even_with_their_hash(folder, refusal, change, message):
    weights = {name: array.copy() for name, array in load_file(folder / WEIGHTS).items()}
    change(weights)
    save_file(weights, folder / WEIGHTS)
    rehash(folder)
    found = refusal(folder)
    assert found.startswith(f"{folder / WEIGHTS}: ")
    assert message in found


def test_a_file_that_is_no_safetensors_is_refused_even_with_its_hash(folder, refusal):
    (folder / WEIGHTS).write_bytes(b"\x80\x04K\x01.")  # a pickle
    rehash(folder)
    assert f"{folder / WEIGHTS}: cannot be read: " in refusal(folder)


@pytest.mark.parametrize("value", [1.0, -800.0, np.nan])
def test_edits_that_are_no_probabilities_are_refused(tiny_bundle, refusal, value):
    folder = tiny_bundle(architecture="transducer")
    edits = load_file(folder / "edits.safetensors")
    edits["edit_distance.deletion"] = np.full_like(edits["edit_distance.deletion"], value)
    save_file(edits, folder / "edits.safetensors")
    rehash(folder)
    expected = "has a number that is not finite"
    if np.isfinite(value):
        expected = f"expected log-probabilities from -700 to 0, got {value}"
    assert expected in refusal(folder)


def test_a_validation_text_that_is_not_utf_8_is_refused(tmp_path, capsys):
    folder = make_model(tmp_path / "text").bundle.path
    (folder / EXCERPT).write_bytes(b"a\xff")
    rehash(folder)
    assert verify.main(["--model", str(folder)]) == 2
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"FAILED   {folder / EXCERPT}: is damaged: not UTF-8 at byte 1{RESTORE}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbols": []}, "is damaged: expected at least one symbol"),
        ({"symbols": ["\ud800"]}, "expected UTF-8 text, got half of a surrogate pair"),
        ({"separator": "\ud800"}, "expected UTF-8 text, got half of a surrogate pair"),
    ],
)
def test_a_vocabulary_that_no_text_can_use_is_refused(folder, refusal, change, message):
    path = folder / "target_vocabulary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    rehash(folder)
    assert message in refusal(folder)


def test_a_text_whose_symbols_are_joined_where_none_is_expected_is_refused(tmp_path):
    folder = make_model(tmp_path / "text").bundle.path
    path = folder / "target_vocabulary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "separator": " "}))
    rehash(folder)
    with pytest.raises(BundleError, match="expected symbols that ' ' separates in target_vocabulary.json, got '' from"):
        LanguageModel(load_bundle(folder))


def test_a_text_whose_symbols_are_joined_in_another_way_is_refused(tmp_path):
    folder = make_model(tmp_path / "text").bundle.path
    record = read_config(folder)
    write_config(folder, {**record, "data": {**record["data"], "unit": "word"}})
    with pytest.raises(BundleError) as error:
        LanguageModel(load_bundle(folder))
    assert str(error.value) == (
        f"{folder / CONFIG}: is damaged: expected symbols that '' separates in target_vocabulary.json, "
        f"got '\\x00' from the section 'data'{RESTORE}"
    )


# sizes and places


def test_lengths_go_from_one_symbol_to_the_longest_line():
    for length in (1, LONGEST_LINE):
        values = {"source": length, "target": length}
        assert from_json(Lengths, values, where="x") == Lengths(**Lengths.of(length, length))
    assert Lengths.of(0, LONGEST_LINE + 1) == {"source": 1, "target": LONGEST_LINE}
    for lengths in ((0, 1), (1, 0), (LONGEST_LINE + 1, 1), (1, LONGEST_LINE + 1)):
        with pytest.raises(BundleError, match="is damaged: (source|target): expected"):
            from_json(Lengths, dict(zip(("source", "target"), lengths, strict=True)), where="x")


def test_the_largest_sizes_are_those_of_the_documentation():
    text = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"Largest sizes: (.*?)\.\s*$", text, re.MULTILINE | re.DOTALL)
    sizes = {
        name: int(size) << 20
        for names, size in re.findall(r"((?:`[^`]+`(?:,\s+)?)+)\s+(\d+)\s+MiB", said)
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert sizes == LARGEST


def test_a_file_is_not_read_if_it_is_too_large(folder, refusal, monkeypatch):
    monkeypatch.setitem(LARGEST, WEIGHTS, 100)
    size = (folder / WEIGHTS).stat().st_size
    assert refusal(folder) == f"{folder / WEIGHTS}: has {size} bytes, expected at most 100{RESTORE}"


def test_weights_of_more_bytes_than_the_sizes_need_are_not_read(folder, refusal):
    with (folder / WEIGHTS).open("ab") as file:
        file.write(bytes(2 << 20))
    rehash(folder)
    assert "numbers of type float32, got 2" in refusal(folder)


def test_a_table_that_fills_the_memory_is_refused():
    model = ModelConfig(hidden_size=1000, embedding_size=1)
    with pytest.raises(BundleError, match=f"need a table of 4000000000 numbers, expected at most {LARGEST_TABLE}"):
        check_tables(model, weight_shapes(model, source_size=10**6, target_size=50), where="here")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, "canary.json"])
def test_no_link_leads_out_of_the_folder(folder, refusal, tmp_path, name):
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert refusal(folder) == (
        f"{folder / name}: leads out of its folder, to {tmp_path / 'elsewhere'}; put the file itself there"
    )


def test_a_link_inside_the_folder_and_a_linked_folder_are_followed(folder, tmp_path):
    (folder / WEIGHTS).rename(folder / "stored")
    (folder / WEIGHTS).symlink_to("stored")
    (tmp_path / "link").symlink_to(folder)
    assert load_bundle(tmp_path / "link").kind == "translator"


@pytest.mark.parametrize("name", [CONFIG, "metrics.json"])
def test_a_pipe_or_a_device_is_not_read(folder, refusal, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refusal(folder) == f"{folder / name}: expected a file, got something else; restore the file"
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    assert refusal(folder) == f"{folder / name}: expected a file, got something else; restore the file"


def test_a_link_to_itself_is_not_read(folder, refusal):
    (folder / "metrics.json").unlink()
    (folder / "metrics.json").symlink_to("metrics.json")
    assert f"{folder / 'metrics.json'}: cannot be read: " in refusal(folder)


# what is written


def test_a_longer_line_is_recorded_as_the_longest_that_decoding_takes():
    assert Lengths.of(3, 10**6) == {"source": 3, "target": LONGEST_LINE}
    assert Lengths.of(0, 4) == {"source": 1, "target": 4}


def endless(translator):
    """The same translator, which never ends an output."""
    weights = dict(translator.bundle.weights)
    weights["logits.bias"] = weights["logits.bias"].copy()
    weights["logits.bias"][END] = -50
    translator.bundle.weights.update(weights)
    return Translator(translator.bundle)


@pytest.mark.parametrize("sizes", [{}, {"architecture": "transducer"}])
def test_a_translator_that_never_ends_has_log_probabilities_to_replay(tiny_bundle, sizes):
    translator = endless(Translator(load_bundle(tiny_bundle(**sizes))))
    canary = choose_canary(translator, ["abcd.", "opgh."])
    assert [(entry["source"], entry["forced"]) for entry in canary] == [("abcd.", True), ("opgh.", True)]
    assert all(0 < len(entry["text"]) <= 20 < 50 for entry in canary)
    for entry in canary:
        (scored,) = translator.score([Pair(entry["source"], entry["text"])])
        np.testing.assert_allclose(entry["log_probs"], scored.log_probs, atol=1e-5)
    replay_canary(translator, canary)
    canary[1]["log_probs"][0] -= 0.01
    with pytest.raises(BundleError, match=r"input 'opgh\.': log-probabilities differ by 0\.01 nats"):
        replay_canary(translator, canary)


def test_a_canary_is_made_without_any_line(folder):
    translator = Translator(load_bundle(folder))
    (entry,) = choose_canary(translator, ["", " "])
    assert entry["source"] == translator.source_vocabulary.join(translator.source_vocabulary.symbols[:3])
    replay_canary(translator, [entry])


@pytest.mark.parametrize("excerpt", ["", "The ferry left"])
def test_a_text_whose_symbols_are_all_near_ties_has_log_probabilities_to_replay(tmp_path, excerpt):
    model = make_model(tmp_path / "flat", scale=0.0, excerpt=excerpt)
    (entry,) = canary = choose_text_canary(model)
    symbols = model.vocabulary.symbols[:20]
    assert entry["text"] == (excerpt[: len(entry["text"])] if excerpt else "".join([*symbols, *symbols]))
    np.testing.assert_allclose(entry["log_probs"], -np.log(len(model.vocabulary)), atol=1e-5)
    replay_canary(model, canary)


def test_an_ensemble_must_be_that_of_its_members(tiny_bundle, tmp_path, refusal):
    from seq2seq.training.assembly import assemble

    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], tmp_path / "both")
    record = read_config(tmp_path / "both")
    for key, value in (
        ("lengths", {"source": 5, "target": 9}),
        ("model", {**record["model"], "layers": 2}),
        ("data", {**record["data"], "lowercase": True}),
    ):
        write_config(tmp_path / "both", {**record, key: value})
        assert refusal(tmp_path / "both") == (
            f"{tmp_path / 'both' / CONFIG}: is damaged: {key} is not that of the members{RESTORE}"
        )


def test_an_ensemble_of_ensembles_is_refused(tiny_bundle, tmp_path, refusal):
    from seq2seq.training.assembly import assemble

    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], tmp_path / "both")
    config = tmp_path / "both" / "member-1" / CONFIG
    record = json.loads((tmp_path / "both" / CONFIG).read_text())
    write_config(config.parent, record)
    rehash(tmp_path / "both")
    assert f"{tmp_path / 'both' / CONFIG}: is damaged: member-1 is an ensemble, expected one model" in refusal(
        tmp_path / "both"
    )
