"""The `generate` verb: what goes to stdout, what to stderr, and the errors of the user."""

import json

import numpy as np
import pytest
from tiny_language import SENTENCES, make_model

from seq2seq.generate import main
from seq2seq.scoring.memorization import merged, quoted_spans, training_text


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def generate(model, capsys):
    """Runs the verb on the model; returns the exit code, stdout and stderr."""

    def run(*options):
        code = main(["--model", str(model.bundle.path), *options])
        return (code, *capsys.readouterr())

    return run


def test_stdout_holds_the_text_and_a_line_end(generate, model):
    code, out, err = generate("--prompt", "The", "--length", "30", "--seed", "1")
    assert (code, out, err) == (0, model.generate("The", length=30, seed=1) + "\n", "")


def test_a_seed_that_is_drawn_is_said_and_repeats_the_text(generate):
    _, out, err = generate("--prompt", "The", "--length", "30")
    seed = err.removeprefix("seed: ").strip()
    assert generate("--prompt", "The", "--length", "30", "--seed", seed)[1] == out


def test_a_random_place_is_shown_on_stderr_alone(generate, model):
    code, out, err = generate("--length", "30", "--seed", "1")
    assert code == 0
    assert err.startswith("continues a random place of the validation text: ")
    assert len(out) == 31


def test_a_prompt_may_come_from_a_file(generate, tmp_path):
    (tmp_path / "prompt.txt").write_text("The ferry\n")
    from_file = generate("--prompt", f"@{tmp_path}/prompt.txt", "--length", "20", "--seed", "1")
    assert from_file == generate("--prompt", "The ferry", "--length", "20", "--seed", "1")


def test_json_lines_hold_each_sample(generate, model):
    _, out, _ = generate("--prompt", "The", "--length", "9", "--samples", "2", "--seed", "1", "--format", "jsonl")
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["sample"] for one in found] == [1, 2]
    for one in found:
        assert list(one) == [
            "sample", "prompt", "text", "symbols", "log_probs", "finished", "seed", "score", "temperature",
        ]  # fmt: skip
        assert one["text"] == "The" + "".join(one["symbols"])
        assert one["score"] == pytest.approx(sum(one["log_probs"]))
        assert (one["seed"], one["temperature"], one["finished"]) == (1, 0.7, False)


def test_several_samples_have_headings(generate, model):
    _, out, _ = generate("--prompt", "The", "--length", "9", "--samples", "2", "--seed", "1")
    texts = [text.text for text in model.texts("The", length=9, samples=2, seed=1)]
    assert out == f"--- sample 1 ---\n{texts[0]}\n--- sample 2 ---\n{texts[1]}\n"


def test_a_stop_string_ends_the_text(generate, model):
    stop = model.generate("The", length=30, seed=1)[10:12]
    _, out, _ = generate("--prompt", "The", "--length", "30", "--seed", "1", "--stop", stop)
    assert stop not in out[3:]


def test_unknown_characters_of_the_prompt_are_said_once(generate):
    _, out, err = generate("--prompt", "Thé é", "--length", "5", "--seed", "1")
    assert err == "line 1, column 3: 'é' (U+00E9) is unknown to the model, read as 'e'\n"
    assert out.startswith("Thé é")


# What is quoted


def test_spans_of_twenty_characters_are_found_across_blocks():
    source = SENTENCES * 2
    quoted = "Every morning Ada fed the gulls"
    text = f"xx{quoted}yy The ferry left the qua"
    blocks = [source[start : start + 7] for start in range(0, len(source), 7)]
    (spans,) = quoted_spans([text], blocks)
    assert [text[start:end] for start, end in spans] == [quoted, "The ferry left the qua"]
    assert [list(merged(np.array(starts, int), 20)) for starts in ([], [3], [3, 23], [3, 24], [3, 4, 22, 60])] == [
        [], [(3, 23)], [(3, 43)], [(3, 23), (24, 44)], [(3, 42), (60, 80)],
    ]  # fmt: skip
    assert quoted_spans(["short", "", SENTENCES[:19]], [source]) == [[], [], []]


@pytest.mark.parametrize("block", [1, 7, 100])
def test_the_training_part_alone_is_compared_with(model, monkeypatch, block):
    bundle = model.bundle
    part = (SENTENCES * 20)[: bundle.record["trained_on"]["characters"]["train"]]

    def blocks(file, form, **options):
        text = file.read().decode()
        yield from (text[start : start + block] for start in range(0, len(text), block))

    monkeypatch.setattr("seq2seq.scoring.memorization.read_blocks", blocks)
    assert "".join(training_text(bundle)) == part


def test_novelty_marks_what_stands_in_the_training_text(tmp_path, capsys):
    make_model(tmp_path / "one-letter", "a" * 400)  # whatever it writes is quoted
    options = ["--model", str(tmp_path / "one-letter"), "--prompt", "aaa", "--seed", "1", "--novelty"]
    assert main([*options, "--length", "30"]) == 0
    out, err = capsys.readouterr()
    assert out == f"aaa⟦{'a' * 30}⟧\n"
    assert "characters or more: 100.0% of the output; longest span: 30" in err
    assert main([*options, "--length", "19", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["quoted"] == []


def test_novelty_needs_the_training_text(generate, model, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("not the training text")
    code, _, err = generate("--novelty", "--data", str(other), "--seed", "1")
    assert code == 2
    assert "expected the text that the model was trained on" in err


def test_a_changed_training_text_is_noticed_and_a_copy_is_taken(tmp_path, capsys):
    model = make_model(tmp_path / "moved")
    copy = tmp_path / "copy.txt"
    (tmp_path / "moved.txt").rename(copy)
    options = ["--model", str(model.bundle.path), "--length", "5", "--seed", "1", "--novelty"]
    assert main(options) == 2
    assert "moved.txt', which does not exist; check the path; restore that data, or name a copy of it with --data" in (
        capsys.readouterr().err
    )
    assert main([*options, "--data", str(copy)]) == 0
    (tmp_path / "moved.txt").write_text("changed")
    assert main(options) == 2
    assert "but the data there now has sha256" in capsys.readouterr().err


# Errors


def test_a_model_without_validation_text_asks_for_a_prompt(tmp_path, capsys):
    folder = make_model(tmp_path / "mute", excerpt="").bundle.path
    assert main(["--model", str(folder), "--seed", "1"]) == 2
    assert capsys.readouterr() == (
        "",
        f"seq2seq generate: error: {folder}: expected validation text to continue, got ''; give --prompt TEXT\n",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beam-size", "3"], "--beam-size 3: beam search makes a language model repeat itself"),
        (["--num-beams", "3"], "--beam-size 3: beam search makes a language model repeat itself"),
        (["--prompt", "@nowhere.txt"], "--prompt @nowhere.txt: cannot be read: No such file or directory"),
        (["--stop", ""], "--stop: expected strings of at least one character"),
        (["--data", "prose"], "--data prose: is the text that --novelty searches for quotations; give --novelty too"),
        (["--length", "0"], "--length: expected at least 1, got 0"),
        (["--oov", "error", "--prompt", "é"], "--prompt, column 1: expected a character that the model has seen"),
    ],
)
def test_errors_are_one_line(generate, options, message):
    code, out, err = generate(*options, "--seed", "1")
    assert (code, out) == (2, "")
    assert err.startswith(f"seq2seq generate: error: {message}")
    assert err.count("\n") == 1


def test_a_prompt_file_that_is_no_utf_8_is_refused(generate, tmp_path):
    (tmp_path / "prompt.txt").write_bytes(b"caf\xe9")
    assert "expected UTF-8 text, got byte 0xe9 at 3" in generate("--prompt", f"@{tmp_path}/prompt.txt")[2]


def test_the_newest_language_model_is_the_default(tiny_bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    make_model(tmp_path / "runs" / "text")
    tiny_bundle().rename(tmp_path / "runs" / "pairs")
    assert main(["--prompt", "The", "--length", "5", "--seed", "1"]) == 0
    assert capsys.readouterr().err == "model: runs/text\n"
