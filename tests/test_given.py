"""What a model cannot be given is refused in one line: no text, too long a text, more than memory holds."""

import pytest
from tiny_language import make_model

import seq2seq
from seq2seq import decode, evaluate, generate, memory, score, sweep
from seq2seq.errors import Seq2SeqError
from seq2seq.inference.capacity import CHUNK_BATCHES, chunk_lines
from seq2seq.search_config import LONGEST, LONGEST_PROMPT, DecodingConfig
from seq2seq.text.batches import cut_batches

SMALL = 10**8  # bytes


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    from conftest import bundle_maker

    return seq2seq.load(bundle_maker(tmp_path_factory.mktemp("given"))())


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    return seq2seq.load(make_model(tmp_path_factory.mktemp("given") / "text").bundle.path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.translate([None]), "line 1: expected text, got None; give a str"),
        (lambda t: t.translate(["a", b"a"]), "line 2: expected text, got b'a'; decode bytes first"),
        (lambda t: t.translate([5.0]), "line 1: expected text, got 5.0; give a str"),
        (lambda t: t.translate(["ab\ud800"]), "line 1: expected UTF-8 text, got the surrogate '\\ud800' at column 3;"),
        (lambda t: t.translate(None), "translate: expected a list of lines, got None; give [line]"),
        (lambda t: t.translate(b"abcd."), "translate: expected a list of lines, got b'abcd.'; give [line]"),
        (lambda t: t.translate("abcd."), "translate: expected a list of lines, got the string 'abcd.'; give [line]"),
        (lambda t: t.translate(["a" * (LONGEST + 1)]), f"line 1: expected at most {LONGEST} symbols, got"),
        (lambda t: t.translate(["abc"], max_source_length=2), "allow more with --max-source-length"),
        (lambda t: t.explain(None), "line 1: expected text, got None"),
        (lambda t: t.explain("a" * (LONGEST + 1)), f"line 1: expected at most {LONGEST} symbols"),
        (lambda t: t.score(None), "score: expected a list of pairs, got None; give [pair]"),
        (lambda t: t.score(["ab"]), "line 1: expected a pair of source and target, got 'ab'"),
        (lambda t: t.score([("a", "b", "c")]), "line 1: expected a pair of source and target, got ('a', 'b', 'c')"),
        (lambda t: t.score([("a", None)]), "line 1, target: expected text, got None"),
        (lambda t: t.evaluate(n_bootstrap=-5), "--bootstrap: expected 0 or at least 2, got -5"),
        (lambda t: t.evaluate(n_bootstrap="x"), "--bootstrap: expected 0 or at least 2, got 'x'"),
        (lambda t: seq2seq.load(None), "expected a model folder, got None"),
        (lambda t: seq2seq.load(b"tiny"), "expected a model folder, got b'tiny'"),
    ],
)  # fmt: skip
def test_python_callers_get_the_errors_of_this_package(translator, call, message):
    with pytest.raises(Seq2SeqError) as error:
        call(translator)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(5), "--prompt: expected text, got 5"),
        (lambda m: m.generate(b"Ada"), "--prompt: expected text, got b'Ada'; decode bytes first"),
        (lambda m: m.generate("\udcff"), "--prompt: expected UTF-8 text, got the surrogate '\\udcff' at column 1"),
        (lambda m: list(m.stream(0)), "--prompt: expected text, got 0"),
        (lambda m: m.explain(7), "--prompt: expected text, got 7"),
        (lambda m: m.generate("Ada", stop=5), "--stop: expected strings of at least one character, got 5"),
        (lambda m: m.generate("Ada", stop=[5]), "--stop: expected strings of at least one character, got [5]"),
        (lambda m: m.generate("Ada", stop=None), "--stop: expected strings of at least one character, got None"),
        (lambda m: m.score(None), "score: expected a list of texts, got None; give [text]"),
        (lambda m: m.score(["Ada", None]), "text 2: expected text, got None"),
        (
            lambda m: m.generate("a" * (LONGEST_PROMPT + 1)),
            f"--prompt: expected at most {LONGEST_PROMPT} symbols, got {LONGEST_PROMPT + 1}",
        ),
        (lambda m: m.generate("Ada", max_prompt_length=2), "allow more with --max-prompt-length"),
    ],
)
def test_so_do_those_of_a_language_model(text_model, call, message):
    with pytest.raises(Seq2SeqError) as error:
        call(text_model)
    assert message in str(error.value)


def test_a_longer_line_is_taken_where_it_is_allowed(translator):
    longer = "abcd." * (LONGEST // 5 + 1)
    (output,) = translator.translate([longer], max_source_length=len(longer), max_length=3)
    assert len(output) == 3


def test_a_longer_source_of_other_data_is_left_out_or_allowed(translator, tmp_path, capsys):
    data, long = tmp_path / "more.tsv", "a" * (LONGEST + 1)
    data.write_text(f"{long}\tb\nabcd.\tcdab!\n")
    options = ["--model", str(translator.bundle.path), "--data", str(data), "--bootstrap", "0", "--max-length", "3"]
    assert evaluate.main(options) == 2
    assert (
        f"--data {data}: expected sources of at most {LONGEST} symbols, got one of {len(long)}; leave longer ones out "
        f"with --max-source-length {LONGEST}, or take them with --max-source-length {len(long)}"
    ) in capsys.readouterr().err
    for most, items in ((LONGEST, 1), (len(long), 2)):
        assert evaluate.main([*options, "--max-source-length", str(most), "--json"]) == 0
        captured = capsys.readouterr()
        assert f'"n": {items}' in captured.out and "max_source_length" not in captured.out


@pytest.mark.parametrize(
    ("side", "line"), [("source", "a" * (LONGEST + 1) + "\tb"), ("target", "a\t" + "b" * (LONGEST + 1))]
)
def test_score_says_which_side_of_which_line_is_too_long(translator, tmp_path, capsys, side, line):
    file = tmp_path / "pairs.txt"
    file.write_text(f"a\tb\n{line}\n")
    options = ["--model", str(translator.bundle.path), "-i", str(file)]
    assert score.main(options) == 2
    said = f"{file}:2, {side}: expected at most {LONGEST} symbols, got {LONGEST + 1}; "
    assert said in capsys.readouterr().err
    assert score.main([*options, f"--max-{side}-length", str(LONGEST + 1)]) == 0


# memory


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: SMALL)
    monkeypatch.setattr(memory, "ALWAYS", SMALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--beam-size 100000", "--beam-size 100000: needs about "),
        ("--n-best 1000000 --temperature 1 --format tsv", "--n-best 1000000: needs about "),
        ("--n-best 1000000 --beam-size 1000000 --format tsv", "--beam-size 1000000: needs about "),
        (f"--min-length {10**17} --max-length {10**18}", f"--min-length {10**17}: needs about "),
    ],
)
def test_decode_says_what_would_need_more_memory_than_there_is(
    translator, little_memory, tmp_path, capsys, options, message
):
    file = tmp_path / "in.txt"
    file.write_text("abcd.\n")
    assert decode.main(["--model", str(translator.bundle.path), "-i", str(file), *options.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"seq2seq decode: error: {message}" in err and "0.1 GB are free; give a smaller" in err


@pytest.mark.parametrize(
    ("verb", "options", "message"),
    [
        (generate, "--format jsonl --samples 1000000", "--samples 1000000: needs about "),
        (generate, f"--format jsonl --length {10**18}", f"--length {10**18}: needs about "),
        (sweep, "--json --samples 1000000", "--samples 1000000: needs about "),
    ],
)
def test_so_do_the_verbs_of_a_language_model(text_model, little_memory, capsys, verb, options, message):
    fixed = ["--model", str(text_model.bundle.path), "--prompt", "Ada", "--seed", "1"]
    assert verb.main([*fixed, *options.split()]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 100_000_000}, "--hidden-size 100000000: needs about "),
        ({"embedding_size": 10**12}, "--embedding-size 1000000000000: needs about "),
    ],
)
def test_so_does_training(translator, sizes, message, tmp_path):
    with pytest.raises(Seq2SeqError) as error:
        seq2seq.Translator.train(translator.bundle.data.data, model=tmp_path / "new", **sizes)
    assert message in str(error.value)
    assert not (tmp_path / "new").exists()


def test_lines_with_several_results_are_read_in_smaller_chunks():
    assert chunk_lines(DecodingConfig()) == CHUNK_BATCHES * 256
    assert chunk_lines(DecodingConfig(beam_size=512, n_best=512)) == CHUNK_BATCHES // 2
    assert chunk_lines(DecodingConfig(temperature=1.0, n_best=10**6)) == 1


def test_wide_beams_are_decoded_a_few_lines_at_a_time():
    order = list(range(64))

    def rows(slots):
        cut = cut_batches(order, [10] * 64, most=256, workers=1, symbol_bytes=1, slots=slots, slot_bytes=1 << 20)
        assert [row for batch in cut for row in batch.tolist()] == order
        return max(map(len, cut))

    assert rows(1) == 64
    assert rows(4) == 13  # the fewest batches of at most 15 lines, 4 MiB each
    assert rows(1000) == 1
