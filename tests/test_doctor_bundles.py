"""The doctor on model folders of this package."""

import json

from seq2seq.config import DecodingConfig
from seq2seq.corpus import Pair
from seq2seq.diagnosis.bundles import behaviour, examine_bundle
from seq2seq.doctor import main
from seq2seq.files import sha256_of
from seq2seq.loading import load


def test_a_whole_folder_has_no_findings_and_asks_for_pairs(tiny_bundle):
    report = examine_bundle(tiny_bundle())
    assert not report.findings
    assert "--pairs" in report.not_examined[0]


def test_a_model_that_says_something_else_than_when_it_was_written_is_broken(tiny_bundle, capsys):
    folder = tiny_bundle()
    canary = json.loads((folder / "canary.json").read_text())
    assert canary
    canary[0]["log_probs"][0] -= 0.5
    (folder / "canary.json").write_text(json.dumps(canary))
    record = json.loads((folder / "config.json").read_text())
    record["sha256"]["canary.json"] = sha256_of(folder / "canary.json")
    (folder / "config.json").write_text(json.dumps(record))
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "D07 broken" in printed
    assert "log-probabilities differ" in printed


def test_a_damaged_folder_cannot_be_looked_at(tiny_bundle, capsys):
    folder = tiny_bundle()
    (folder / "target_vocabulary.json").write_text("{}")
    assert main([str(folder)]) == 2
    assert "is not the file that was written" in capsys.readouterr().err


def test_pairs_that_a_model_translates_as_they_stand_show_no_symptom(tiny_bundle, tmp_path):
    folder = tiny_bundle()
    translator = load(folder)
    lines = [f"{one}{other}." for one in ("ab", "cd", "ef") for other in ("gh", "ij", "kl")]
    pairs = [Pair(line, text) for line, text in zip(lines, translator.translate(lines), strict=True) if text.strip()]
    assert len(pairs) > 3
    assert not behaviour(translator, pairs)


def test_one_answer_for_every_source_is_d05(tiny_bundle, monkeypatch):
    translator = load(tiny_bundle())
    pairs = [Pair(line, line) for line in (f"{a}{b}." for a in ("ab", "cd", "ef", "gh", "ij") for b in ("ab", "op"))]
    constant = list(translator.outputs(["abcd."] * len(pairs), DecodingConfig()))
    monkeypatch.setattr(translator, "outputs", lambda lines, config: iter(constant))
    (finding,) = [found for found in behaviour(translator, pairs) if found.code == "D05"]
    assert finding.severity == "broken"
