import json
import os
import pty
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from seq2seq import decode
from seq2seq.api import load
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import DataError, OptionError
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.text.pairs import Pair
from tests.conftest import SYLLABLES, random_bundle

LINES = ["abcd.", "", "efgh.", "ij", "klmn.opab", "op.", "ab", "cdcd."]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Random weights that give different outputs to different lines, and end most of them."""
    folder = tmp_path_factory.mktemp("models")
    rows = [f"{one}{other}.\t{other}{one} !\n" for one in SYLLABLES for other in SYLLABLES]
    (folder / "tiny.tsv").write_text("".join(rows))
    sizes = ModelConfig(hidden_size=8, embedding_size=6)
    return random_bundle(folder / "tiny", DataConfig(data=str(folder / "tiny.tsv")), sizes, 42)


@pytest.fixture
def run(model, tmp_path, capsys):
    """Decodes lines in this process; returns exit code, stdout and stderr."""

    def run(*options, lines=LINES, content=None, model=model):
        path = tmp_path / "in.txt"
        path.write_bytes("".join(f"{line}\n" for line in lines).encode() if content is None else content)
        capsys.readouterr()
        code = decode.main(["--model", str(model), "--input", str(path), *map(str, options)])
        return code, *capsys.readouterr()

    return run


def outputs(run, *options, **others):
    code, out, err = run(*options, **others)
    assert code == 0, err
    return out.split("\n")[:-1]


def refusal(run, *options, **others):
    code, out, err = run(*options, **others)
    assert (code, out) == (2, "")
    assert err.startswith("seq2seq decode: error: ") and err.count("\n") == 1
    return err.removeprefix("seq2seq decode: error: ")[:-1]


def process(model, *options, stdin=subprocess.PIPE, **others):
    command = [sys.executable, "-m", "seq2seq.decode", "--model", str(model), *map(str, options)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **others)


# lines


def test_line_n_out_belongs_to_line_n_in(run, model):
    found = outputs(run)
    assert found == load(model).translate(LINES)
    assert len(found) == len(LINES)
    assert found[1] == ""
    assert len(set(found)) > 3
    assert found == [outputs(run, lines=[line])[0] for line in LINES]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_and_a_missing_last_one_change_nothing(run, ends):
    content = ends.join(LINES).encode()
    assert outputs(run, content=content) == outputs(run)
    assert outputs(run, content=b"\xef\xbb\xbf" + content) == outputs(run)


def test_no_lines_give_no_lines(run):
    assert outputs(run, lines=[]) == []
    assert outputs(run, lines=["", " ", ""]) == ["", "", ""]


def test_spaces_and_apostrophes_are_read_as_in_training(run):
    assert outputs(run, lines=["  abcd. ", "abcd.\u00a0"]) == outputs(run, lines=["abcd.", "abcd."])


def test_invalid_utf_8_is_one_line_with_its_place(run, tmp_path):
    assert refusal(run, content=b"ab\n\xe9\n") == (
        f"{tmp_path}/in.txt:2: expected UTF-8 text, got byte 0xe9 at column 1; "
        "convert the file: iconv -f latin1 -t utf-8"
    )


# forms


def test_tsv_holds_line_score_rank_score_and_text(run):
    rows = [row.split("\t") for row in outputs(run, "--format", "tsv", "--length-penalty", "0.5")]
    assert [int(row[0]) for row in rows] == list(range(1, len(LINES) + 1))
    assert [row[3] for row in rows] == outputs(run)
    assert rows[1] == ["2", "0.000000", "0.000000", ""]
    for _, score, rank_score, text in rows[2:]:
        assert float(rank_score) == pytest.approx(float(score) / (len(text) + 1) ** 0.5, abs=2e-6)  # END counts


def test_jsonl_tells_everything(run):
    options = ["--format", "jsonl", "--temperature", "0.8", "--seed", "5"]
    found = [json.loads(line) for line in outputs(run, *options)]
    assert [one["source"] for one in found] == LINES
    assert [one["text"] for one in found] == outputs(run, "--temperature", "0.8", "--seed", "5")
    for one in found:
        assert set(one) == {
            "line", "source", "text", "symbols", "log_probs", "score", "rank_score", "finished", "seed",
        }  # fmt: skip
        assert one["seed"] == 5
        assert one["score"] == pytest.approx(sum(one["log_probs"]))
        assert "".join(one["symbols"]) == one["text"]
        assert one["source"] == "" or len(one["log_probs"]) == len(one["symbols"]) + one["finished"]
    assert {json.loads(line)["seed"] for line in outputs(run, "--format", "jsonl", "--seed", "5")} == {None}


def test_n_best_gives_as_many_for_each_line_best_first(run):
    rows = [json.loads(line) for line in outputs(run, "--format", "jsonl", "--beam-size", "4", "--n-best", "3")]
    assert [row["line"] for row in rows] == [line for line in range(1, len(LINES) + 1) for _ in range(3)]
    for start in range(0, len(rows), 3):
        three = rows[start : start + 3]
        assert three == sorted(three, key=lambda row: -row["rank_score"])
        assert not three[0]["source"] or len({row["text"] for row in three}) == 3
    assert [row["text"] for row in rows[::3]] == outputs(run, "--beam-size", "4")


def test_n_best_needs_a_form_with_room(run):
    assert refusal(run, "--n-best", "2", "--beam-size", "2") == (
        "--n-best 2 needs --format tsv or jsonl: text has one result for each line"
    )


def test_samples_of_a_line_differ(run):
    options = ["--temperature", "1.5", "--seed", "1", "--n-best", "5", "--format", "tsv"]
    rows = [row.split("\t") for row in outputs(run, *options, lines=["abcd."])]
    assert len(rows) == 5 and len({row[3] for row in rows}) > 1


# sampling


def test_a_seed_repeats_and_another_does_not(run):
    sampled = ["--temperature", "1.2", "--seed"]
    assert outputs(run, *sampled, "7") == outputs(run, *sampled, "7")
    assert outputs(run, *sampled, "7") != outputs(run, *sampled, "8")


def test_a_seed_that_is_drawn_is_printed_and_repeats_the_run(run):
    _, first, said = run("--temperature", "1.2")
    (line,) = [line for line in said.splitlines() if line.startswith("seed: ")]
    assert run("--temperature", "1.2", "--seed", line.removeprefix("seed: "))[1] == first
    assert "seed" not in run()[2]


def test_temperature_zero_is_greedy(run):
    assert outputs(run, "--temperature", "0") == outputs(run) == outputs(run, "--beam-size", "1")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--beam-size", "3"],
        ["--temperature", "1.2", "--seed", "7"],
        ["--temperature", "1", "--top-k", "3", "--seed", "1"],
    ],
)
def test_batches_chunks_and_runtimes_change_nothing(run, options, monkeypatch):
    def decoded(*more, **others):
        rows = [row.split("\t") for row in outputs(run, *options, *more, "--format", "tsv", **others)]
        return [(row[0], row[3]) for row in rows], [float(value) for row in rows for value in row[1:3]]

    texts, scores = decoded()
    for size in (1, 3):
        assert decoded("--batch-size", size)[0] == texts
        assert decoded("--batch-size", size)[1] == pytest.approx(scores, abs=1e-5)
    monkeypatch.setattr("seq2seq.inference.capacity.CHUNK_BATCHES", 1)
    assert decoded("--batch-size", "3")[0] == texts
    assert decoded("--first-line", "4", lines=LINES[3:])[0] == texts[3:]
    if options:
        assert decoded("--runtime", "keras")[0] == texts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--temperature", "-1"], "--temperature: expected at least 0.0, got -1.0"),
        (["--temperature", "nan"], "--temperature: expected a finite number, got nan"),
        (["--temperature", "inf"], "--temperature: expected a finite number, got inf"),
        (["--top-k", "3"], "--top-k filters what is drawn and needs --temperature above 0, such as 1"),
        (["--beam-size", "2", "--temperature", "1"], "--beam-size and --temperature exclude each other"),
        (["--runtime", "torch"], "--runtime: expected one of auto, numpy, keras, onnx, got 'torch'"),
        (["--first-line", "0"], "--first-line: expected at least 1, got 0"),
        (["--first-line", "²"], "argument --first-line: invalid int value: '²'"),
        (["--first-line", "9" * 20], f"--first-line: expected at most {10**18}, got {'9' * 20}"),
        (["--first-line", "9" * 99], f"--first-line: expected at most {10**18}, got a number of more than 60 digits"),
        (["--first-line", "9" * 5000], f"argument --first-line: invalid int value: '{'9' * 60}'... (see --help)"),
        (["--max-length", "²"], "argument --max-length: invalid int value: '²'"),
        (["--max-length", "9" * 20], f"--max-length: expected at most {10**18}, got {'9' * 20}"),
        (["--max-length", "9" * 5000], f"argument --max-length: invalid int value: '{'9' * 60}'... (see --help)"),
        (["--seed", str(2**64)], f"--seed: expected at most {2**64 - 1}, got {2**64}"),
        (["--resume"], "--resume: needs --output FILE; standard output cannot be resumed"),
        (["--max-length", "2", "--prefix", "cdabcd"], "--prefix: expected at most --max-length (2) symbols, got 6"),
        (["--min-length", "9", "--max-length", "3"], "--min-length 9 is above --max-length 3"),
        (["--format", "csv"], "argument --format: invalid choice: 'csv'"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, options, message):
    assert message in refusal(run, *options)


def test_the_largest_numbers_are_taken(run):
    first = outputs(run, "--temperature", "1", "--seed", 2**64 - 1, "--first-line", 10**18, "--format", "tsv")
    assert first[0].startswith(f"{10**18}\t")
    assert outputs(run, "--max-length", 10**18) == outputs(run, "--max-length", "1000")


# unknown characters


def test_unknown_characters_are_mapped_and_named_once(run):
    _, out, said = run(lines=["ABCD.", "äbcd.", "AB☃☃"])
    found = out.split("\n")
    assert found[0] == found[1] == outputs(run, lines=["abcd."])[0]
    assert len(said.splitlines()) >= 6
    assert said.splitlines()[:3] == [
        "line 1, column 1: 'A' (U+0041) is unknown to the model, read as 'a'",
        "line 1, column 2: 'B' (U+0042) is unknown to the model, read as 'b'",
        "line 1, column 3: 'C' (U+0043) is unknown to the model, read as 'c'",
    ]
    assert said.splitlines()[5] == "1 other characters are unknown to the model too, read as known ones or as UNK"
    assert "line 3, column 3" not in said  # the sixth character
    assert "'☃' (U+2603) is unknown to the model, read as UNK" in run(lines=["☃"])[2]


def test_unknown_characters_may_be_left_unknown_or_be_an_error(run):
    code, _, said = run("--oov", "unk", lines=["ABCD."])
    assert code == 0 and "unknown" not in said
    said = refusal(run, "--oov", "error", lines=["abcd.", "ab☃"])
    assert said.endswith(
        "/in.txt:2, column 3: expected a character that the model has seen, got '☃' (U+2603); "
        "change it, or use --oov map or --oov unk"
    )
    assert "expected one of map, unk, error, got 'drop'" in refusal(run, "--oov", "drop")


# prefix and lengths


@pytest.mark.parametrize("options", [[], ["--beam-size", "3"], ["--temperature", "1", "--seed", "1"]])
def test_every_output_begins_with_the_prefix(run, options):
    found = outputs(run, "--prefix", "cdab ", *options)
    assert all(text.startswith("cdab ") for text in found if text)
    assert sum(bool(text) for text in found) == len(LINES) - 1


def test_a_prefix_that_greedy_takes_anyway_changes_nothing(run):
    free = outputs(run, lines=["abcd."])[0]
    assert outputs(run, "--prefix", free[:2], lines=["abcd."])[0] == free


def test_unknown_characters_of_the_prefix_are_said(run):
    _, out, said = run("--prefix", "C☃", lines=["ab", "cd"])
    assert said.splitlines()[:2] == [
        "--prefix, column 1: 'C' (U+0043) is unknown to the model, read as 'c'",
        "--prefix, column 2: '☃' (U+2603) is unknown to the model, read as UNK",
    ]
    assert all(line.startswith("c") for line in out.split("\n")[:2])
    assert "--prefix, column 2: expected a character" in refusal(run, "--prefix", "c☃", "--oov", "error")


def test_lengths_are_kept_and_what_was_cut_off_is_counted(run):
    _, out, said = run("--max-length", "2", "--format", "jsonl")
    found = [json.loads(line) for line in out.splitlines()]
    assert all(len(one["text"]) <= 2 for one in found)
    cut = sum(not one["finished"] for one in found)
    assert cut > 0
    assert said == f"{cut} outputs were cut off before they ended; --max-length raises the limit\n"
    long = [json.loads(line) for line in outputs(run, "--min-length", "9", "--format", "jsonl")]
    assert all(len(one["text"]) >= 9 for one in long if one["source"])


def test_a_long_prefix_leaves_room_for_an_output(run):
    prefix = "ab" * 60
    assert all(text.startswith(prefix) for text in outputs(run, "--prefix", prefix) if text)


# files


def test_output_goes_to_a_file_and_nothing_to_stdout(run, tmp_path):
    path = tmp_path / "out.txt"
    code, out, _ = run("-o", path)
    assert (code, out) == (0, "")
    assert path.read_text().split("\n")[:-1] == outputs(run)


@pytest.mark.parametrize("sampled", [[], ["--temperature", "1", "--seed", "3"]])
def test_an_interrupted_file_is_resumed_to_the_same_bytes(run, tmp_path, monkeypatch, sampled):
    whole, path = tmp_path / "whole.txt", tmp_path / "out.txt"
    form = [*sampled, "--format", "text"]
    run("-o", whole, *form)
    monkeypatch.setattr("seq2seq.inference.capacity.CHUNK_BATCHES", 1)
    decode_chunk, calls = Translator.decode_chunk, []

    def interrupting(self, *args, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return decode_chunk(self, *args, **options)

    monkeypatch.setattr(Translator, "decode_chunk", interrupting)
    code, _, said = run("-o", path, "--batch-size", "2", *form)
    assert code == 130
    assert "4 lines are in" in said and "seq2seq decode: interrupted" in said
    assert not path.exists()
    refused = refusal(run, "-o", path, "--resume", "--max-length", "3", *form)
    assert "was written with other settings (max_length)" in refused
    assert run("-o", path, "--resume", "--batch-size", "3", *form)[0] == 0
    assert path.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.partial*"))


def test_another_input_is_not_resumed_with(run, tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    monkeypatch.setattr("seq2seq.inference.capacity.CHUNK_BATCHES", 1)
    broken = "".join(f"{line}\n" for line in LINES[:4]).encode() + b"\xff\n"
    assert run("-o", path, "--batch-size", "2", content=broken)[0] == 2
    refused = refusal(run, "-o", path, "--resume", lines=["ab", *LINES[1:]])
    assert refused == (
        f"--resume: {path}.partial holds the results of 4 lines, and {tmp_path}/in.txt does not begin with these "
        "lines; give the same input, or leave --resume out to start from the beginning"
    )
    assert run("-o", path, "--resume")[0] == 0
    assert path.read_text().split("\n")[:-1] == outputs(run)


def test_standard_input_is_compared_when_an_output_is_resumed(model, tmp_path):
    path = tmp_path / "out.txt"
    options = ["-o", path, "--batch-size", "1"]
    lines = ["abcd.", "ef"] * 8  # a chunk

    def decoded(lines, *more):
        with process(model, *options, *more) as child:
            _, said = child.communicate("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
        return child.returncode, said.decode()

    assert decoded([*lines, "\udcff"])[0] == 2
    code, said = decoded(["ij", *lines], "--resume")
    assert code == 2
    assert "holds the results of 16 lines, and standard input does not begin with these lines; give the same" in said
    assert decoded([*lines, "kl"], "--resume") == (0, "")
    assert path.read_text().split("\n")[:-1] == load(model).translate([*lines, "kl"])


def test_two_processes_do_not_write_one_file(model, run, tmp_path):
    path = tmp_path / "out.txt"
    with process(model, "-o", path) as child:
        child.stdin.write(b"abcd.\n")
        child.stdin.flush()
        while not (tmp_path / "out.txt.partial.json").exists():
            assert child.poll() is None
        assert refusal(run, "-o", path) == (
            f"--output {path}: another process is writing this file; wait for it, or give another --output"
        )
        child.communicate(b"efgh.\n")
        assert child.returncode == 0
    assert path.read_text().split("\n")[:-1] == load(model).translate(["abcd.", "efgh."])


def test_resuming_a_sample_needs_its_seed(run, tmp_path):
    assert "needs the --seed of the interrupted run" in refusal(
        run, "-o", tmp_path / "out.txt", "--resume", "--temperature", "1"
    )


def test_a_model_that_is_not_there_or_not_finished_is_named(run, tmp_path):
    none = tmp_path / "none"
    assert refusal(run, model=none).startswith(f"{none}: expected a model folder, got nothing there; `seq2seq models`")
    (tmp_path / "begun" / "checkpoint-1").mkdir(parents=True)
    assert "is unfinished (no config.json); run the same train command again" in refusal(run, model=tmp_path / "begun")


def test_the_newest_model_is_taken_and_named(run, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seq2seq.bundle.record.PRETRAINED", tmp_path / "none")
    path = tmp_path / "in.txt"
    path.write_text("ab\n")
    assert decode.main(["--input", str(path)]) == 2
    assert (
        "no finished translator under runs/; train one (`make train`), or give --model DIR" in capsys.readouterr().err
    )
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(model)
    assert decode.main(["--input", str(path)]) == 0
    assert capsys.readouterr().err.splitlines()[0] == "model: runs/mine"


def test_an_input_that_cannot_be_read_is_named(model, capsys):
    assert decode.main(["--model", str(model), "--input", "none.txt"]) == 2
    assert capsys.readouterr().err == (
        "seq2seq decode: error: --input none.txt: cannot be read: No such file or directory\n"
    )


def test_options_may_come_from_a_file(run, tmp_path):
    file = tmp_path / "options.toml"
    file.write_text("[decode]\nbeam-size = 3\nmax-length = 3\n")
    assert outputs(run, "--config", file) == outputs(run, "--beam-size", "3", "--max-length", "3")
    assert outputs(run, "--config", file, "--max-length", "4") == outputs(run, "--beam-size", "3", "--max-length", "4")


# processes


def test_piped_input_is_answered_when_it_pauses(model):
    with process(model) as child:
        child.stdin.write(b"abcd.\nefgh.\n")
        child.stdin.flush()
        first = [child.stdout.readline(), child.stdout.readline()]  # would wait for ever
        child.stdin.write(b"ij")
        child.stdin.close()
        rest = child.stdout.read()
        assert child.wait() == 0
    assert [line.decode()[:-1] for line in (*first, rest)] == load(model).translate(["abcd.", "efgh.", "ij"])


def test_a_reader_that_goes_away_is_no_traceback(model, tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("abcd.\n" * 20_000)
    with process(model, "--input", path, "--batch-size", "64") as child:
        assert child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read().decode()
        assert child.wait() == 128 + signal.SIGPIPE
    assert said == ""


def test_ctrl_c_ends_with_130_and_one_line(model):
    with process(model) as child:
        child.stdin.write(b"ab\n")
        child.stdin.flush()
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read().decode()
        assert child.wait() == 130
    assert said == "seq2seq decode: interrupted\n"


def test_a_terminal_is_prompted_and_an_unknown_character_does_not_end_the_talk(model):
    terminal, standard_input = pty.openpty()
    with process(model, "--oov", "error", stdin=standard_input) as child:
        os.close(standard_input)
        for line in ("abcd.", "ab☃", "efgh."):
            os.write(terminal, f"{line}\n".encode())
            time.sleep(0.05)
        found = [child.stdout.readline().decode()[:-1] for _ in range(2)]
        os.write(terminal, b"\x04")
        rest, said = child.stdout.read(), child.stderr.read().decode()
        assert child.wait() == 0
    os.close(terminal)
    assert found == load(model).translate(["abcd.", "efgh."])
    assert rest == b""
    assert said.startswith("Type a line; :help lists commands, Ctrl-D ends.\n> ")
    assert "error: line 2, column 3: expected a character that the model has seen, got '☃'" in said


# the same from Python


def test_translate_takes_the_options_of_decode(run, model):
    translator = load(model)
    assert translator.translate(LINES, beam_size=3) == outputs(run, "--beam-size", "3")
    assert translator.translate(LINES, temperature=1.0, seed=4) == outputs(run, "--temperature", "1", "--seed", "4")
    assert translator.translate(iter(LINES)) == translator.translate(tuple(LINES))
    assert translator.translate([]) == []
    with pytest.raises(OptionError, match="translate: unknown key 'temprature' in section 'decode'"):
        translator.translate(LINES, temprature=1.0)
    with pytest.raises(OptionError, match="translate: expected a list of lines, got the string 'abcd.'"):
        translator.translate("abcd.")
    with pytest.raises(DataError, match="line 1, column 1: expected a character that the model has seen, got '☃'"):
        translator.translate(["☃"], oov="error")


def test_outputs_reads_its_lines_as_they_are_needed(model, monkeypatch):
    monkeypatch.setattr("seq2seq.inference.capacity.CHUNK_BATCHES", 1)
    taken = []

    def lines():
        for line in LINES:
            taken.append(line)
            yield line

    found = load(model).outputs(lines(), DecodingConfig(batch_size=2))
    assert taken == []
    next(found)
    assert taken == LINES[:2]


@pytest.mark.parametrize("prefix", ["", "cd", "ab "])
@pytest.mark.parametrize(
    "options", [{}, {"beam_size": 3}, {"temperature": 1.0, "seed": 2}, {"max_length": 60, "min_length": 4}]
)
def test_score_gives_what_decode_printed(model, options, prefix):
    translator = load(model)
    found = translator.outputs(LINES, DecodingConfig(prefix=prefix, **options))
    ended = [best[0] for best in found if best[0].finished and best[0].source]
    assert len(ended) >= 3
    scored = translator.score([Pair(output.source, output.text) for output in ended])
    for output, (*_, log_probs) in zip(ended, scored, strict=True):
        own = log_probs[len(prefix) :]  # what is forced is not in the score
        np.testing.assert_allclose(own, output.log_probs, atol=1e-5)
        assert sum(own) == pytest.approx(output.score, abs=1e-5)


def test_a_model_with_tags_asks_for_them(tiny_bundle, run):
    rows = [f"{word}\t{tag};X\t{word}{tag.lower()}" for word in ("ab", "cd", "ef", "gh") for tag in ("P", "Q", "R")]
    folder = tiny_bundle("tags", rows=rows, data={"features_col": 2, "target_col": 3})
    assert len(outputs(run, lines=["ab\tP;X", "", "cd\tQ"], model=folder)) == 3
    message = refusal(run, lines=["ab\tP;X", "cd"], model=folder)
    assert ":2: expected source<TAB>tags, got 'cd'; this model was trained with feature tags" in message


def test_separated_symbols_come_back_separated(tiny_bundle, run):
    rows = [f"{one}{other}\tK {one.upper()} {other.upper()}H" for one in "abcd" for other in "efgh"]
    folder = tiny_bundle("phones", rows=rows, data={"target_sep": " "})
    found = [json.loads(line) for line in outputs(run, "--format", "jsonl", lines=["ae", "bf"], model=folder)]
    for one in found:
        assert one["text"] == " ".join(one["symbols"])
    assert all(text.startswith("K EH") for text in outputs(run, "--prefix", "K EH", lines=["ae"], model=folder))
