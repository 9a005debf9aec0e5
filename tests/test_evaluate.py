import json
import subprocess
import sys

import pytest

import seq2seq
from seq2seq.evaluate import main

SCORES = {"chrf", "bleu", "exact_match", "wer", "cer", "per"}
FIELDS = {*SCORES, "n", "distinct", "copied", "signatures"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))


def run(capsys, *arguments):
    """Runs the verb: exit code, standard output, standard error."""
    code = main([str(argument) for argument in arguments])
    return (code, *capsys.readouterr())


def test_json_has_the_agreed_names(tiny_bundle, capsys):
    code, out, err = run(capsys, "--model", tiny_bundle(), "--json", "--bootstrap", 50)
    content = json.loads(out)
    assert code == 0
    assert set(content) >= FIELDS
    assert set(content["confidence"]) == SCORES
    assert content["n"] == 6
    assert all(0 <= content[name] <= 1 for name in ("exact_match", "distinct", "copied"))
    assert "bs:50" in content["signatures"]["chrf"]
    assert "translating 6 sources of tiny, test part" in err


def test_the_table_begins_with_chrf_and_ends_with_signatures(tiny_bundle, capsys):
    _, out, _ = run(capsys, "--model", tiny_bundle())
    lines = out.splitlines()
    assert lines[0].startswith("tiny, test part: 6 sources, ")
    assert [line.split("  ")[0] for line in lines[3:8]] == ["chrF", "BLEU", "exact match", "WER", "CER"]
    assert [line.split("  ")[0] for line in lines[8:10]] == ["distinct", "copied"]
    assert "(" in lines[8] and "of 6)" in lines[8]
    assert "Prefer chrF: BLEU counts four words in a row" in out
    assert lines[-4].startswith("chrF         nrefs:")


def test_a_file_is_scored_with_all_its_references(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    sources = [f"zz{one}." for one in ("ab", "cd", "ef", "gh", "ij", "kl")]
    outputs = zip(sources, seq2seq.load(folder).translate(sources), strict=True)
    (one, said), (other, answer), *_ = ((source, output) for source, output in outputs if output)
    data = tmp_path / "data.tsv"
    data.write_text(f"{one}\twrong\n{other}\twrong\n{one}\t{said}\n")
    outputs = tmp_path / "outputs.tsv"
    code, out, err = run(capsys, "--model", folder, "--data", data, "--json", "-o", outputs)
    content = json.loads(out)
    assert (code, content["n"], content["references"], content["exact_match"]) == (0, 2, 3, 0.5)
    assert outputs.read_text() == f"{one}\t{said}\twrong\t{said}\n{other}\t{answer}\twrong\n"
    assert "symbols (1 different ones) are unknown to the model" in err
    assert "warning" not in err


def test_sources_that_were_trained_on_are_warned_of(tiny_bundle, capsys):
    folder = tiny_bundle()
    _, _, err = run(capsys, "--model", folder, "--data", folder.with_name("tiny.tsv"))
    assert "warning: 52 of 64 sources of" in err
    assert "show what the model remembers, not how it translates" in err


def test_columns_given_beside_the_file_win(tiny_bundle, tmp_path, capsys):
    data = tmp_path / "data.tsv"
    data.write_text("1\tabcd.\tx\n2\tabcd.\ty\n")
    arguments = ("--model", tiny_bundle(), "--data", data, "--source-col", 2, "--target-col", 3, "--json")
    _, out, _ = run(capsys, *arguments)
    content = json.loads(out)
    assert (content["n"], content["references"]) == (1, 2)


def test_the_encoding_of_the_file_is_an_option(tiny_bundle, tmp_path, capsys):
    data = tmp_path / "data.tsv"
    data.write_bytes("abcd.\té\nefgh.\tà\n".encode("cp1252"))
    folder = tiny_bundle()
    code, _, err = run(capsys, "--model", folder, "--data", data)
    assert code == 2
    assert "2 of 2 lines are not" in err and "it looks like cp1252: read it with --encoding cp1252" in err
    code, out, _ = run(capsys, "--model", folder, "--data", data, "--encoding", "cp1252", "--json")
    assert (code, json.loads(out)["n"]) == (0, 2)


def test_two_models_are_compared(tiny_bundle, tmp_path, capsys):
    one, other = tiny_bundle("one"), tiny_bundle("other", seed=2, attention="none")
    outputs = tmp_path / "outputs.tsv"
    code, out, _ = run(capsys, "--model", one, "--compare", other, "--json", "-o", outputs)
    content = json.loads(out)
    alone = json.loads(run(capsys, "--model", other, "--json")[1])
    assert code == 0
    assert {name: content["compared"][name] for name in FIELDS} == {name: alone[name] for name in FIELDS}
    assert set(content["p_values"]) == SCORES
    assert content["significance"]["test"] == "bs"
    assert all(line.count("\t") >= 3 for line in outputs.read_text().splitlines())


def test_a_model_does_not_differ_from_itself(tiny_bundle, capsys):
    folder = tiny_bundle()
    _, out, _ = run(capsys, "--model", folder, "--compare", folder, "--significance", "ar")
    rows = [line for line in out.splitlines() if line.startswith(("chrF  ", "BLEU  ", "exact match  ", "CER  "))]
    assert [row.split()[-1] for row in rows[:4]] == ["1.0000"] * 4
    assert "approximate randomisation" in out
    assert "ar:10000" in out


def test_features_are_written_in_their_own_column(tiny_bundle, tmp_path, capsys):
    rows = [f"{a}{b}\t{b}{a}\tV;{tag}" for a in "abcd" for b in "efgh" for tag in ("PST", "PRS")]
    outputs = tmp_path / "outputs.tsv"
    folder = tiny_bundle(rows=rows, data={"features_col": 3})
    code, _, _ = run(capsys, "--model", folder, "-o", outputs)
    assert code == 0
    columns = [line.split("\t") for line in outputs.read_text().splitlines()]
    assert all(len(row) == 4 and row[1].startswith("V;") and row[3] == row[0][::-1] for row in columns)


def test_sampling_names_its_seed_and_repeats(tiny_bundle, capsys):
    folder = tiny_bundle()
    _, _, err = run(capsys, "--model", folder, "--temperature", 1, "--json")
    assert "seed: " in err
    one, other = (run(capsys, "--model", folder, "--temperature", 1, "--seed", 5, "--json")[1] for _ in range(2))
    assert one == other
    assert json.loads(one)["decoding"] == {"temperature": 1.0, "seed": 5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source-col", "2"], "--source-col: is about reading --data, which is missing; give both"),
        (["--encoding", "cp1252"], "--encoding: is about reading --data, which is missing; give both"),
        (["--significance", "ar"], "--significance: is about the difference between two models; give --compare DIR"),
        (["--bootstrap", "1"], "--bootstrap: expected 0 or at least 2, got 1"),
        (["--bootstrap", "-3"], "--bootstrap: expected 0 or at least 2, got -3"),
        (
            ["-o", "no/such/folder.tsv"],
            "--output no/such/folder.tsv: expected a file in a folder that exists; make the folder first",
        ),
        (["--split", "train"], "invalid choice: 'train'"),
        (["--data", "absent.tsv"], "got 'absent.tsv', which does not exist"),
        (["--beam-size", "2", "--temperature", "1"], "--beam-size and --temperature exclude each other"),
    ],
)
def test_errors_are_one_line(tiny_bundle, capsys, arguments, message):
    code, out, err = run(capsys, "--model", tiny_bundle(), *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("seq2seq evaluate: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_the_verb_loads_no_tensorflow(tiny_bundle):
    folder = tiny_bundle()
    program = (
        "import sys; from seq2seq.evaluate import main; code = main(sys.argv[1:]);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "--model", str(folder), "--json", "--bootstrap", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "confidence" not in json.loads(result.stdout)


def test_the_rows_of_a_token_list_are_scored_as_they_stand(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    said = seq2seq.load(folder).translate(["zzab."])[0]
    data, outputs = tmp_path / "tokens.tsv", tmp_path / "outputs.tsv"
    data.write_text(f"zzab.\t{said.upper()}\nzzab.\t{said.upper()}\nzzab.\twrong\n")
    assert said != said.upper()
    arguments = ("--model", folder, "--data", data, "--json", "--bootstrap", 0)
    content = json.loads(run(capsys, *arguments, "-o", outputs)[1])
    assert (content["by"], content["n"], content["wer"]) == ("row", 3, 1)
    assert outputs.read_text().splitlines()[2] == f"zzab.\t{said}\twrong"
    content = json.loads(run(capsys, *arguments, "--ignore-case")[1])
    assert (content["exact_match"], "case:lc|by:row" in content["signatures"]["exact_match"]) == (2 / 3, False)
    assert "match:any|by:row|case:lc|" in content["signatures"]["exact_match"]
    content = json.loads(run(capsys, *arguments, "--ignore-case", "--by", "source")[1])
    assert (content["by"], content["n"], content["references"], content["exact_match"]) == ("source", 1, 2, 1)
    code, out, err = run(capsys, "--model", folder, "--data", data)
    assert code == 0
    assert "1 of 3 rows repeat another row: each row is scored as it stands" in err
    assert "translating 3 rows of" in err
    assert out.splitlines()[0].endswith("tokens.tsv: 3 rows, 1 distinct sources")


def test_lengths_and_confusions_stand_under_the_scores(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    said = seq2seq.load(folder).translate(["zzab."])[0]
    data = tmp_path / "data.tsv"
    data.write_text(f"zzab.\t{said}Q\n")
    arguments = ("--model", folder, "--data", data, "--by-length", "--confusions")
    content = json.loads(run(capsys, *arguments, "--json")[1])
    (row,) = content["by_length"]
    assert (row["shortest"], row["longest"], row["n"], row["cer"]) == (5, 5, 1, 1 / (len(said) + 1))
    (confusion,) = content["confusions"]["most_frequent"]
    assert (confusion["kind"], confusion["reference"], confusion["count"], confusion["of"]) == ("deletion", "Q", 1, 1)
    assert confusion["example"] == {"source": "zzab.", "output": said, "reference": f"{said}Q"}
    _, out, _ = run(capsys, *arguments)
    assert "by length of the source\n\n  symbols       n    chrF  exact match" in out
    assert out.endswith(f"deletions: in the reference alone\n  Q  1 of 1  zzab.  ->  {said}  (reference {said}Q)\n")
    _, out, _ = run(capsys, *arguments, "--compare", folder)
    assert out.count(f"confusions of {folder}\n\n1 wrong outputs, 1 edits") == 2


def test_the_rate_of_separated_symbols_is_called_per(tiny_bundle, capsys):
    rows = [f"{a}{b}\t{a.upper()} {b.upper()}" for a in "abcdef" for b in "abcdef"]
    folder = tiny_bundle(rows=rows, data={"target_sep": " "})
    _, out, _ = run(capsys, "--model", folder, "--by-length")
    assert [line.split("  ")[0] for line in out.splitlines()[3:8]] == ["chrF", "BLEU", "exact match", "WER", "PER"]
    assert "PER: edits per symbol of the nearest reference" in out
    assert "CER" not in out
