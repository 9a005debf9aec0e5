"""What a person types at the prompt of `decode`: lines, commands, and a history that later commands find again."""

import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest
from tiny_language import make_model

from seq2seq import decode, generate
from seq2seq.api import load
from seq2seq.cli import line_editing
from seq2seq.cli.commands import SETTINGS, changed, described, settings_of
from seq2seq.cli.line_editing import HISTORY_LINES, history_file
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import OptionError
from seq2seq.search_config import DecodingConfig, GenerationConfig
from tests.conftest import SYLLABLES, random_bundle
from tests.test_decode import process

COMMANDS = {command.name: command for command in SETTINGS}


class Terminal:
    """The standard streams of a person."""

    encoding = "utf-8"

    def __init__(self, stream):
        self.stream = stream

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Random weights that give different outputs to different lines."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny.tsv").write_text(
        "".join(f"{one}{other}.\t{other}{one} !\n" for one in SYLLABLES for other in SYLLABLES)
    )
    sizes = ModelConfig(hidden_size=8, embedding_size=6)
    return random_bundle(folder / "tiny", DataConfig(data=str(folder / "tiny.tsv")), sizes, 42)


@pytest.fixture
def talk(model, monkeypatch, capsys):
    """Types lines to `decode` in this process; returns standard output and standard error, a line each."""

    def talk(*lines, options=(), terminal=True, folder=model):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", Terminal(None))
            if terminal:
                patch.setattr("sys.stdout", Terminal(sys.stdout))
            patch.setattr(decode, "typed_lines", lambda verb: iter(lines))
            assert decode.main(["--model", str(folder), *options]) == 0
        out, err = capsys.readouterr()
        assert err.startswith("Type a line; :help lists commands, Ctrl-D ends.\n")
        return out.splitlines(), err.splitlines()[1:]

    return talk


def after(*commands, config=None):
    """The options after some commands."""
    config = config or DecodingConfig()
    for command in commands:
        name, _, argument = command.partition(" ")
        config = changed(config, COMMANDS[name], argument)
    return config


# what commands change


def test_a_command_turns_off_what_it_contradicts():
    assert after("beam 5") == DecodingConfig(beam_size=5)
    assert after("temperature 0.7", "top-k 9", "top-p 0.5", "min-p 0.1") == DecodingConfig(
        temperature=0.7, top_k=9, top_p=0.5, min_p=0.1
    )
    assert after("temperature 0.7", "top-k 9", "beam 5") == DecodingConfig(beam_size=5)
    assert after("beam 5", "nbest 3", "temperature 0.7") == DecodingConfig(temperature=0.7, n_best=3)
    assert after("beam 5", "nbest 5", "beam 2") == DecodingConfig(beam_size=2, n_best=2)
    assert after("temperature 0.7", "top-k 9", "nbest 3", "temperature 0") == DecodingConfig(temperature=0.0)
    assert after("temperature 0.7", "top-k 9", "seed 4", "greedy") == DecodingConfig(seed=4)
    assert after("temperature 0.7", "top-k 9", "top-k off", "seed 4", "seed off") == DecodingConfig(temperature=0.7)
    kept = DecodingConfig(max_length=9, prefix="a", oov="unk", length_penalty=0.5)
    assert after("beam 5", "greedy", config=kept) == kept


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (["beam x"], ":beam: expected a whole number, got 'x'; such as :beam 5"),
        (["beam"], ":beam: expected a whole number, got ''; such as :beam 5"),
        (["beam 0"], ":beam: expected at least 1, got 0"),
        (["beam off"], ":beam: expected a whole number, got 'off'; such as :beam 5"),
        (["temperature -1"], ":temperature: expected at least 0.0, got -1.0"),
        (["temperature nan"], ":temperature: expected a finite number, got nan"),
        (["temperature warm"], ":temperature: expected a number, got 'warm'; such as :temperature 0.7"),
        (["top-k 5"], ":top-k filters what is drawn and needs :temperature above 0, such as 1"),
        (["temperature 1", "top-p 2"], ":top-p: expected at most 1.0, got 2.0"),
        (["temperature 1", "top-p half"], ":top-p: expected a number, got 'half'; such as :top-p 0.9"),
        (
            ["nbest 3"],
            ":nbest 3 needs at least as many hypotheses: give :beam 3 or more, or :temperature for samples",
        ),
        (["seed 1.5"], ":seed: expected a whole number, got '1.5'; such as :seed 3"),
    ],
)
def test_a_refusal_speaks_of_commands(commands, message):
    config = after(*commands[:-1])
    with pytest.raises(OptionError) as error:
        after(commands[-1], config=config)
    assert str(error.value) == message


def test_the_options_are_described_as_they_are_typed():
    assert described(DecodingConfig(seed=3)) == "greedy"
    assert described(DecodingConfig(beam_size=5, n_best=2)) == "beam 5, nbest 2"
    assert (
        described(DecodingConfig(temperature=0.7, top_k=9, seed=1528290001))
        == "temperature 0.7, top-k 9, seed 1528290001"
    )
    assert described(GenerationConfig(temperature=0.0)) == "greedy, length 400"


def test_a_language_model_has_no_beam_but_samples():
    assert {one.name for one in settings_of(GenerationConfig)} >= {"temperature", "samples", "length"}
    assert not {one.name for one in settings_of(GenerationConfig)} & {"beam", "greedy", "nbest"}
    assert {one.name for one in settings_of(DecodingConfig)} >= {"beam", "greedy", "nbest"}
    found = after("samples 3", "temperature 0", config=GenerationConfig())
    assert (found.samples, found.temperature) == (1, 0.0)


# a conversation


def test_a_command_decides_how_the_next_lines_are_translated(talk, model):
    translator = load(model)
    out, err = talk("abcd.", ":beam 3", "efgh.", ":temperature 1.5", ":seed 4", "ij", ":greedy", "ij")
    assert out[:2] == [*translator.translate(["abcd."]), *translator.translate(["efgh."], beam_size=3)]
    (third,) = next(iter(translator.outputs(["ij"], DecodingConfig(temperature=1.5, seed=4), first_line=3)))
    assert out[2:] == [third.text, *translator.translate(["ij"])]
    assert err[0] == "beam 3" and re.fullmatch(r"temperature 1.5, seed \d+", err[1])
    assert err[2:] == ["temperature 1.5, seed 4", "greedy"]


def test_a_wrong_command_is_one_line_and_changes_nothing(talk, model):
    wrong = [":beem 5", ":beam", ":top-k 3", ":", ":model", ":model nowhere", ":beam 3 4"]
    out, err = talk("abcd.", *wrong, "abcd.")
    assert out == load(model).translate(["abcd.", "abcd."])
    assert err[0] == (
        "seq2seq decode: error: :beem 5: unknown command; :help lists them, and a text that begins with : is typed "
        "with ::"
    )
    assert err[4] == "seq2seq decode: error: :model: expected a folder, or a name under runs/, got ''"
    assert err[5].startswith("seq2seq decode: error: nowhere: expected a model folder, got nothing there; `seq2seq m")
    assert len(err) == len(wrong) and all(line.startswith("seq2seq decode: error: ") for line in err[:6])


def test_several_results_have_their_rank_scores_and_a_file_gets_them_only_in_a_form_with_numbers(talk, model):
    expected = next(iter(load(model).outputs(["abcd."], DecodingConfig(beam_size=3, n_best=2))))
    out, _ = talk(":beam 3", ":nbest 2", "abcd.")
    assert out == [f"{output.rank_score:.3f}  {output.text}" for output in expected]
    out, err = talk(":beam 3", ":nbest 2", "abcd.", terminal=False)
    assert out == load(model).translate(["abcd."], beam_size=3)
    assert err[1] == "seq2seq decode: error: :nbest 2: needs --format tsv or jsonl, since the results go to a file"
    out, _ = talk(":beam 3", ":nbest 2", "abcd.", terminal=False, options=["--format", "jsonl"])
    assert [json.loads(line)["text"] for line in out] == [output.text for output in expected]


def test_two_colons_begin_a_text_and_quit_ends(talk, model):
    out, _ = talk("::ab", ":quit", "abcd.")
    assert out == load(model).translate([":ab"])


def test_help_lists_all_commands_in_sixty_columns(talk):
    _, err = talk(":help")
    assert [line.split()[0] for line in err[:-1]] == [
        *(f":{one.name}" for one in settings_of(DecodingConfig)), ":explain", ":model", ":help", ":quit",
    ]  # fmt: skip
    assert max(map(len, err)) < 60
    assert err[-1] == "  A line that begins with :: is text that begins with :"


def test_another_model_takes_over_with_the_same_options(talk, model, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    other = tiny_bundle("other", seed=3).rename(tmp_path / "runs" / "other")
    out, err = talk("abcd.", ":beam 2", ":model other", "abcd.", f":model {model}", "abcd.")
    first, second = load(model), load(other)
    assert out == [
        *first.translate(["abcd."]),
        *second.translate(["abcd."], beam_size=2),
        *first.translate(["abcd."], beam_size=2),
    ]
    assert err == ["beam 2", "model: runs/other", f"model: {model}"]


@pytest.mark.parametrize(("sizes", "shown"), [({}, "alternatives"), ({"architecture": "transducer"}, "edits")])
def test_the_last_line_is_explained_as_it_was_translated(talk, tiny_bundle, sizes, shown):
    folder = tiny_bundle(**sizes)
    (output,) = next(iter(load(folder).outputs(["abcd."], DecodingConfig(beam_size=3))))
    out, err = talk(":beam 3", "abcd.", ":greedy", ":explain", folder=folder)
    assert out == [output.text]
    assert err[2].startswith(f"tiny (trans{'ducer' if sizes else 'lator'}): score {output.score:.4f}, ")
    table = [line for line in err[3:] if not line.startswith("source: ")]
    assert table[0].startswith("symbol  probability") and shown in table[0]
    assert [row[0] for row in table[1 : 1 + len(output.symbols)]] == [one.replace(" ", "␣") for one in output.symbols]


def test_there_is_nothing_to_explain_before_the_first_line(talk):
    _, err = talk(":explain", ":explain 5")
    assert err == [
        "seq2seq decode: error: :explain: expected a line before it; type one, then :explain",
        "seq2seq decode: error: :explain: explains the last line, and takes no argument, got '5'",
    ]


def test_a_language_model_is_refused_and_the_translator_stays(talk, model, tmp_path):
    text = make_model(tmp_path / "text").bundle.path
    out, err = talk(f":model {text}", "abcd.")
    assert out == load(model).translate(["abcd."])
    assert err == [f"seq2seq decode: error: {text}: is a language-model, expected a translator; use `generate` for it"]


def test_a_command_in_a_pipe_or_a_file_is_text(model, tmp_path, capsys):
    with process(model) as child:
        out, _ = child.communicate(b":beam 5\n:quit\nabcd.\n")
    expected = load(model).translate([":beam 5", ":quit", "abcd."])
    assert out.decode().split("\n")[:-1] == expected
    (tmp_path / "in.txt").write_text(":beam 5\n:quit\nabcd.\n")
    assert decode.main(["--model", str(model), "-i", str(tmp_path / "in.txt")]) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == expected


# the terminal


class Person:
    """Someone at a terminal, who waits for each prompt."""

    def __init__(self, model, environment):
        self.screen, terminal = pty.openpty()
        command = [sys.executable, "-m", "seq2seq.decode", "--model", str(model)]
        self.child = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            env={**os.environ, "TERM": "dumb", **environment},
        )  # fmt: skip
        os.close(terminal)
        self.read()

    def read(self):
        """Reads until the next prompt at the beginning of a line, or the end; editing draws it within a line."""
        seen = b""
        while not seen.endswith(b"\n> "):
            try:
                block = os.read(self.screen, 4096)
            except OSError:  # how Linux says that the terminal has no writer any more
                block = b""
            if not block:
                break
            seen += block
        return seen.decode().replace("\r", "")

    def type(self, keys):
        """Types keys; returns what the terminal shows until the next prompt."""
        os.write(self.screen, keys.encode())
        return self.read()

    def leave(self):
        said = self.type("\x04")
        assert self.child.wait() == 0
        return said

    def close(self):
        os.close(self.screen)
        if self.child.poll() is None:  # a test has failed
            self.child.kill()
            self.child.wait()


@pytest.fixture
def sit_down(model):
    """Lets someone sit down at `decode`, with changes of the environment."""
    people = []

    def sit_down(**environment):
        people.append(Person(model, environment))
        return people[-1]

    yield sit_down
    for person in people:
        person.close()


def test_a_line_is_edited_and_the_next_command_finds_it_again(model, sit_down, tmp_path):
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    first, second = load(model).translate(["abcd.", "efgh."])
    person = sit_down(**environment)
    assert first in person.type("bcd.\x01a\n")  # Ctrl-A goes to the beginning
    assert "beam 2" in person.type(":beam 2\n")
    person.leave()
    history = tmp_path / "state" / "seq2seq" / "decode_history"
    assert history.read_text().splitlines()[-2:] == ["abcd.", ":beam 2"]
    assert history.stat().st_mode & 0o077 == 0
    person = sit_down(**environment)
    assert first in person.type("\x10\x10\n")  # Ctrl-P twice: the line before the last
    assert second in person.type("efgh.\n")
    person.leave()
    assert history.read_text().splitlines()[-3:] == [":beam 2", "abcd.", "efgh."]


def test_without_a_home_there_is_no_history_and_no_error(model, sit_down, monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    person = sit_down()
    assert load(model).translate(["abcd."])[0] in person.type("abcd.\n")
    assert person.leave().strip() == ""


def test_the_history_stands_in_the_users_state_folder(monkeypatch, tmp_path):
    for state, home, expected in (
        ("/state", "/home/ada", "/state/seq2seq/decode_history"),
        ("", "/home/ada", "/home/ada/.local/state/seq2seq/decode_history"),
        ("relative", "/home/ada", "/home/ada/.local/state/seq2seq/decode_history"),
        ("", "", "None"),
    ):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        monkeypatch.setenv("HOME", home)
        assert str(history_file("decode")) == expected


@pytest.fixture
def typing(monkeypatch):
    """Puts lines into the history as a person does."""
    readline = pytest.importorskip("readline")
    yield readline.add_history
    readline.clear_history()


def test_the_history_is_bounded_and_keeps_what_another_command_added(tmp_path, typing):
    path = tmp_path / "state" / "decode_history"
    with line_editing.kept_history(path):
        for number in range(HISTORY_LINES + 5):
            typing(f"line {number}")
    assert path.read_text().splitlines() == [f"line {number}" for number in range(5, HISTORY_LINES + 5)]
    with line_editing.kept_history(path):
        typing("mine")
        path.write_text(path.read_text() + "theirs\n")
    assert path.read_text().splitlines()[-2:] == ["theirs", "mine"]
    assert len(path.read_text().splitlines()) == HISTORY_LINES


def test_a_history_that_cannot_be_used_is_passed_over(tmp_path, typing):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "decode_history", tmp_path / "folder"):
        with line_editing.kept_history(path):
            typing("line")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_system_without_readline_reads_lines_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "readline", None)
    with line_editing.kept_history(tmp_path / "decode_history"):
        pass
    assert list(tmp_path.iterdir()) == []


# prompts of a language model


def test_prompts_are_continued_as_the_options_say(tmp_path, monkeypatch, capsys):
    writer = make_model(tmp_path / "text")
    monkeypatch.setattr("sys.stdin", Terminal(None))
    lines = ["The", ":seed 4", ":length 9", "The", ":samples 2", "The", ":beam 3", "", f":model {writer.bundle.path}"]
    monkeypatch.setattr(generate, "typed_lines", lambda verb: iter(lines))
    assert generate.main(["--model", str(writer.bundle.path), "--interactive", "--seed", "3", "--length", "12"]) == 0
    out, err = capsys.readouterr()
    one, other = writer.texts("The", length=9, samples=2, seed=4)
    first, second = writer.generate("The", length=12, seed=3), writer.generate("The", length=9, seed=4)
    assert second == one.text
    random = [text.text for text in writer.texts(None, length=9, samples=2, seed=4)]
    expected = [first, second, "--- sample 1 ---", one.text, "--- sample 2 ---", other.text]
    assert out == "".join(
        f"{line}\n" for line in [*expected, "--- sample 1 ---", random[0], "--- sample 2 ---", random[1]]
    )
    said = err.splitlines()
    assert said[:4] == [
        "Type how a text begins; :help lists commands, Ctrl-D ends.",
        "temperature 0.7, length 12, seed 4",
        "temperature 0.7, length 9, seed 4",
        "temperature 0.7, samples 2, length 9, seed 4",
    ]
    assert said[4].startswith("seq2seq generate: error: :beam 3: unknown command; :help lists them")
    assert said[5].startswith("continues a random place of the validation text: ")
    assert said[6] == f"model: {writer.bundle.path}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "The"], "--interactive and --prompt exclude each other: you type prompts, and get texts"),
        (["--novelty"], "--interactive and --novelty exclude each other: you type prompts, and get texts"),
        (["--format", "jsonl"], "--interactive and --format exclude each other: you type prompts, and get texts"),
        ([], "--interactive: needs a terminal on standard input; give --prompt TEXT or --prompt @FILE"),
    ],
)
def test_an_interactive_text_needs_a_terminal_and_no_other_form(tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert generate.main(["--model", str(tmp_path), "--interactive", *options]) == 2
    assert f"seq2seq generate: error: {message}" in capsys.readouterr().err
