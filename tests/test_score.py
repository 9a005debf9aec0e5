import json
import subprocess
import sys

import numpy as np
import pytest

import seq2seq
from seq2seq import decode, score
from seq2seq.inference import translator as inference
from seq2seq.inference.forcing import forced_log_probs
from seq2seq.score import main
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, PAD, START
from seq2seq.text import batches
from seq2seq.text.pairs import Pair
from seq2seq.text.source_layout import SourceForm


def run(capsys, tmp_path, folder, text, *arguments):
    """Scores lines of a file: exit code, standard output, standard error."""
    file = tmp_path / "lines.tsv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    code = main(["--model", str(folder), "-i", str(file), *arguments])
    return (code, *capsys.readouterr())


@pytest.mark.parametrize("attention", ["none", "luong", "bahdanau"])
def test_the_score_is_what_decode_said(tiny_bundle, tmp_path, capsys, attention):
    folder = tiny_bundle(attention=attention)
    rows = folder.with_name("tiny.tsv").read_text().splitlines()
    sources = ["", *(row.split("\t")[0] for row in rows)]
    found = [best[0] for best in seq2seq.load(folder).outputs(sources, DecodingConfig())]
    text = "".join(f"{output.source}\t{output.text}\n" for output in found)
    _, out, _ = run(capsys, tmp_path, folder, text, "--format", "jsonl")
    for line, output in zip(out.splitlines(), found, strict=True):
        content = json.loads(line)
        # an output that was cut off has no END, which score adds
        log_probs = content["log_probs"][: len(output.log_probs)]
        assert log_probs == pytest.approx(output.log_probs, abs=1e-5)
        if output.finished:
            assert content["score"] == pytest.approx(output.score, abs=1e-5)
    assert sum(output.finished and output.text != "" for output in found) >= 2


def test_the_forms_agree(tiny_bundle, tmp_path, capsys):
    folder, text = tiny_bundle(), "abcd.\tcdab!\nefgh.\t\n"
    scores = [float(line) for line in run(capsys, tmp_path, folder, text)[1].splitlines()]
    rows = [line.split("\t") for line in run(capsys, tmp_path, folder, text, "--format", "tsv")[1].splitlines()]
    objects = [json.loads(line) for line in run(capsys, tmp_path, folder, text, "--format", "jsonl")[1].splitlines()]
    assert [list(content) for content in objects] == [["line", "source", "text", "score", "log_probs"]] * 2
    assert [row[0] for row in rows] == ["1", "2"]
    assert [float(row[1]) for row in rows] == scores
    assert [row[3:] for row in rows] == [["abcd.", "cdab!"], ["efgh.", ""]]
    assert [len(row[2].split()) for row in rows] == [6, 1]
    for row, content in zip(rows, objects, strict=True):
        assert [float(value) for value in row[2].split()] == pytest.approx(content["log_probs"], abs=1e-6)
        assert sum(content["log_probs"]) == pytest.approx(content["score"])


def test_line_n_out_belongs_to_line_n_in_across_chunks(tiny_bundle, tmp_path, capsys, monkeypatch):
    folder = tiny_bundle()
    lines = [f"{'ab' * (number % 5 + 1)}.\t{'cd' * (number % 7)}" for number in range(50)]
    whole = run(capsys, tmp_path, folder, "\n".join(lines))[1].splitlines()
    monkeypatch.setattr(score, "CHUNK_LINES", 7)
    parts = run(capsys, tmp_path, folder, "\n".join(lines))[1].splitlines()
    alone = [run(capsys, tmp_path, folder, line)[1].strip() for line in lines[::9]]
    assert [float(value) for value in parts] == pytest.approx([float(value) for value in whole], abs=1e-5)
    assert [float(value) for value in whole[::9]] == pytest.approx([float(value) for value in alone], abs=1e-5)


def test_features_stand_between_source_and_target(tiny_bundle, tmp_path, capsys):
    rows = [f"{a}{b}\t{b}{a}\tV;{tag}" for a in "abcd" for b in "efgh" for tag in ("PST", "PRS")]
    folder = tiny_bundle(rows=rows, data={"features_col": 3})
    code, out, _ = run(capsys, tmp_path, folder, "ae\tV;PST\tea\nae\tV;PRS\tea\n", "--format", "jsonl")
    past, present = (json.loads(line) for line in out.splitlines())
    assert (code, past["source"], past["text"]) == (0, "ae\tV;PST", "ea")
    assert past["score"] != present["score"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("abcd.", ":2: expected source<TAB>target, got 1 tab-separated columns: 'abcd.'"),
        ("", ":2: expected source<TAB>target, got 1 tab-separated columns: ''"),
        ("a\tb\tc", ":2: expected source<TAB>target, got 3 tab-separated columns: 'a\\tb\\tc'"),
        ("\tcdab!", ":2: expected source<TAB>target, got an empty source: '\\tcdab!'"),
        (b"ab\xe9\tx", ":2: expected UTF-8 text, got byte 0xe9 at column 3"),
    ],
)
def test_a_malformed_line_is_named(tiny_bundle, tmp_path, capsys, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    code, out, err = run(capsys, tmp_path, tiny_bundle(), b"ab.\tba!\n" + line + b"\n")
    assert (code, out) == (2, "")
    assert err.startswith("seq2seq score: error: ")
    assert message in err


def test_a_line_without_tags_is_named(tiny_bundle, tmp_path, capsys):
    rows = [f"{a}{b}\t{b}{a}\tV;PST" for a in "abcd" for b in "efgh"]
    folder = tiny_bundle(rows=rows, data={"features_col": 3})
    for line, message in (
        ("ae\tea", "lines.tsv:1: expected source<TAB>tags<TAB>target, got 2 tab-separated columns: 'ae\\tea'"),
        ("\t\tea", "lines.tsv:1: expected source<TAB>tags<TAB>target, got an empty source: '\\t\\tea'"),
    ):
        code, _, err = run(capsys, tmp_path, folder, line)
        assert code == 2
        assert message in err


@pytest.mark.parametrize("source", ["ae\t", "ae\t ", "\tV;PST", "ae\tV;PST", "\t"])
def test_with_features_what_decode_takes_is_scored_the_same(tiny_bundle, tmp_path, capsys, source):
    rows = [f"{a}{b}\t{b}{a}\tV;{tag}" for a in "abcd" for b in "efgh" for tag in ("PST", "PRS")]
    folder = tiny_bundle(rows=rows, data={"features_col": 3})
    file = tmp_path / "sources.txt"
    file.write_text(f"{source}\n")
    options = ["--model", str(folder), "-i", str(file), "--max-length", "60", "--format", "jsonl"]
    assert decode.main(options) == 0
    decoded = json.loads(capsys.readouterr().out)
    assert decoded["finished"]
    code, out, err = run(capsys, tmp_path, folder, f"{source}\t{decoded['text']}\n", "--format", "jsonl")
    assert (code, err) == (0, "")
    assert json.loads(out)["score"] == pytest.approx(decoded["score"], abs=1e-5)
    row = run(capsys, tmp_path, folder, f"{source}\t{decoded['text']}\n", "--format", "tsv")[1]
    if source.strip():
        assert row.rstrip("\n").split("\t")[3:] == [*(side.strip() for side in source.split("\t")), decoded["text"]]


# batches


@pytest.fixture
def long_and_short(tiny_bundle):
    """A translator, pairs of which two are long, and the shapes of the batches of sources it reads."""
    translator, shapes = seq2seq.load(tiny_bundle(attention="luong")), []
    start = translator.runtime.start

    def recorded(source_ids):
        shapes.append(source_ids.shape)
        return start(source_ids)

    translator.runtime.start = recorded
    pairs = [Pair("ab" * (number % 7 + 1), "cd" * (number % 5 + 1)) for number in range(300)]
    pairs[7], pairs[150] = Pair("ab" * 400, "cd"), Pair("ab", "cd" * 300)
    return translator, pairs, shapes


def test_a_long_line_among_short_ones_makes_its_batch_alone_small(long_and_short, monkeypatch):
    translator, pairs, shapes = long_and_short
    room = 40 * batches.FEWEST_ROWS  # symbols of a batch
    monkeypatch.setattr(batches, "MEMORY_BYTES", room * translator.runtime.symbol_bytes)
    monkeypatch.setattr(inference, "core_count", lambda: 1)
    assert len(translator.score(pairs)) == len(pairs)
    assert all(rows * length <= room or rows <= batches.FEWEST_ROWS for rows, length in shapes)
    assert max(rows for rows, _ in shapes) > batches.FEWEST_ROWS


@pytest.mark.parametrize("verb", ["score", "translate"])
def test_the_padded_length_of_rows_bounds_their_batches(long_and_short, monkeypatch, verb):
    translator, pairs, shapes = long_and_short
    translator.writer.form = SourceForm(length=200)
    monkeypatch.setattr(batches, "MEMORY_BYTES", 200 * 2 * batches.FEWEST_ROWS * translator.runtime.symbol_bytes)
    monkeypatch.setattr(inference, "core_count", lambda: 1)
    short = [pair for pair in pairs if len(pair.source) < 50 and len(pair.target) < 50]
    if verb == "score":
        translator.score(short)
    else:
        translator.translate([pair.source for pair in short])
    assert shapes and all(rows <= 2 * batches.FEWEST_ROWS and length == 200 for rows, length in shapes)


def test_scores_are_computed_on_all_cores_and_say_the_same_on_one(long_and_short, monkeypatch):
    translator, pairs, _ = long_and_short
    spread, seen = inference.spread, []

    def counted(work, items, *, workers):
        seen.append((workers, len(items)))
        return spread(work, items, workers=workers)

    monkeypatch.setattr(inference, "spread", counted)
    found = {}
    for cores in (1, 3):
        monkeypatch.setattr(inference, "core_count", lambda cores=cores: cores)
        found[cores] = translator.score(pairs)
    assert [workers for workers, _ in seen] == [1, 3]
    assert seen[1][1] >= 3
    alone = [translator.score([pair])[0] for pair in pairs[:10]]
    for one, other in zip([*found[1], *found[3][:10]], [*found[3], *alone], strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)


def test_a_score_names_its_pair_and_is_the_sum_of_its_log_probs(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    (found,) = translator.score([Pair("ab.", "cd!")])
    assert (found.source, found.target) == ("ab.", "cd!")
    assert len(found.log_probs) == 4
    assert found.score == pytest.approx(sum(found.log_probs))
    assert translator.score([]) == []


def test_forced_log_probs_are_the_log_of_softmax_of_each_step(tiny_bundle):
    runtime = seq2seq.load(tiny_bundle()).runtime
    sources = np.array([[4, 5, END], [6, END, PAD]], np.int32)
    targets = np.array([[START, 4, 5, 6, END], [START, 5, END, PAD, PAD]], np.int32)
    found = forced_log_probs(runtime, sources, targets)
    state = runtime.start(sources)
    for step in range(4):
        logits, state = runtime.step(targets[:, step], state)
        wide = logits.astype(np.float64)
        for row, target in enumerate(targets[:, step + 1]):
            expected = wide[row, target] - np.log(np.exp(wide[row]).sum()) if target != PAD else 0.0
            assert found[row, step] == pytest.approx(expected, abs=1e-12)


def test_unknown_characters_are_said_once(tiny_bundle, tmp_path, capsys):
    _, _, err = run(capsys, tmp_path, tiny_bundle(), "ab.\tbä!\nab.\tbä!\n")
    assert "2 symbols (1 different ones) are unknown to the model" in err
    assert "'ä' (U+00E4) in line 1" in err


def test_no_input_gives_no_output(tiny_bundle, tmp_path, capsys):
    assert run(capsys, tmp_path, tiny_bundle(), "")[:2] == (0, "")


def test_an_interrupted_output_goes_on(tiny_bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(score, "CHUNK_LINES", 2)
    folder, output = tiny_bundle(), tmp_path / "scores.txt"
    lines = [f"{'ab' * number}.\tcd" for number in range(1, 8)]
    broken = "\n".join([*lines[:5], "no tab", *lines[6:]])
    assert run(capsys, tmp_path, folder, broken, "-o", str(output))[0] == 2
    assert not output.exists()
    assert run(capsys, tmp_path, folder, "\n".join(lines), "-o", str(output), "--resume")[0] == 0
    expected = [float(value) for value in run(capsys, tmp_path, folder, "\n".join(lines))[1].splitlines()]
    assert [float(value) for value in output.read_text().splitlines()] == pytest.approx(expected, abs=1e-5)


def test_another_input_is_not_resumed_with(tiny_bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(score, "CHUNK_LINES", 2)
    folder, output = tiny_bundle(), tmp_path / "scores.txt"
    lines = [f"{'ab' * number}.\tcd" for number in range(1, 8)]
    assert run(capsys, tmp_path, folder, "\n".join([*lines[:5], "no tab"]), "-o", str(output))[0] == 2
    code, _, err = run(capsys, tmp_path, folder, "\n".join(["ab.\tcdcd", *lines[1:]]), "-o", str(output), "--resume")
    assert code == 2
    assert err == (
        f"seq2seq score: error: --resume: {output}.partial holds the results of 4 lines, and {tmp_path}/lines.tsv does "
        "not begin with these lines; give the same input, or leave --resume out to start from the beginning\n"
    )
    assert run(capsys, tmp_path, folder, "\n".join(lines), "-o", str(output), "--resume")[0] == 0
    assert len(output.read_text().splitlines()) == 7


def test_standard_input_is_answered_while_it_pauses(tiny_bundle):
    command = [sys.executable, "-m", "seq2seq.score", "--model", str(tiny_bundle())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(2):
            process.stdin.write(b"ab.\tba!\n")
            process.stdin.flush()
            assert float(process.stdout.readline()) < 0
        process.stdin.close()
        assert process.wait() == 0
