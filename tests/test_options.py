import dataclasses
import re

import pytest

from seq2seq import decode, distill, export, generate, serve, train
from seq2seq.cli.options import add_options, configured, read_config_file
from seq2seq.cli.shell import make_parser
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.fields import flag_of, to_toml, toml_value
from seq2seq.search_config import DecodingConfig

SECTIONS = (DataConfig, ModelConfig, TrainingConfig, DecodingConfig)


def parsed(config, argv):
    parser = make_parser("test", "A test.", "  none")
    parser.add_argument("--preset")
    parser.add_argument("--config")
    add_options(parser, config)
    return parser.parse_args(argv)


def resolved(config, argv):
    return configured(config, parsed(config, argv))


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "settings.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


# one option, several spellings


@pytest.mark.parametrize("alias", ["--hidden-size", "--latent-dim"])
def test_latent_dim_is_hidden_size(alias):
    assert resolved(ModelConfig, [alias, "64"]).hidden_size == 64


@pytest.mark.parametrize("alias", ["--beam-size", "--beam-width", "--num-beams"])
def test_beams_have_three_names(alias):
    assert resolved(DecodingConfig, [alias, "4"]).beam_size == 4


def test_switches_have_a_no_form():
    assert resolved(ModelConfig, ["--no-bidirectional"]).bidirectional is False
    assert resolved(ModelConfig, ["--bidirectional"]).bidirectional is True
    assert resolved(DataConfig, ["--reverse"]).reverse is True


def test_options_are_not_abbreviated(capsys):
    with pytest.raises(OptionError, match="unrecognized arguments: --hidden 64"):
        resolved(ModelConfig, ["--hidden", "64"])


def test_a_value_of_the_wrong_type_is_one_line(capsys):
    assert train.main(["--epochs", "many"]) == 2
    assert capsys.readouterr().err == (
        "seq2seq train: error: argument --epochs: invalid int value: 'many' (see --help)\n"
    )


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (["--prefix", "-x"], "-x"),
        (["--prefix", "-1,2"], "-1,2"),
        (["--prefix", "-"], "-"),
        (["--prefix=-x"], "-x"),
        (["--prefix", "--x"], None),
        (["--prefix", "--seed", "1"], None),
    ],
)
def test_a_value_may_begin_with_a_dash(argv, value):
    if value is None:
        with pytest.raises(OptionError, match="argument --prefix: expected one argument"):
            resolved(DecodingConfig, argv)
    else:
        assert resolved(DecodingConfig, argv).prefix == value


# what beats what


def test_an_option_beats_the_file_and_the_file_beats_the_preset(toml):
    file = toml("[model]\nhidden-size = 32\nrnn = 'gru'\n")
    chosen = resolved(ModelConfig, ["--preset", "tutorial", "--config", file, "--hidden-size", "16"])
    assert chosen.hidden_size == 16  # not the file's 32, nor the preset's 256
    assert chosen.rnn == "gru"  # not the preset's lstm
    assert chosen.attention == "none"  # the preset's, not the default luong
    assert chosen.layers == 1


def test_an_unknown_preset_is_refused(capsys):
    assert train.main(["--preset", "quick"]) == 2
    assert "argument --preset: invalid choice: 'quick' (choose from " in capsys.readouterr().err


# files


def test_keys_may_be_spelt_as_options_or_as_names(toml):
    assert read_config_file(toml("[decode]\ntop-k = 3\nmin_p = 0.1\n")) == {"decode": {"top_k": 3, "min_p": 0.1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[modle]\nlayers = 1", "unknown section 'modle'; the sections are data, decode, model, train"),
        ("layers = 1", "unknown section 'layers'; the sections are data, decode, model, train"),
        (
            "[model]\nhiden-size = 3",
            "unknown key 'hiden-size' in section 'model'; the keys are architecture, attention, bidirectional, "
            "dropout, embedding-size, hidden-size, layers, rnn",
        ),
        ("[model]\nlayers = 0", "section 'model': --layers: expected at least 1, got 0"),
        ("[model]\nlayers = '2'", "section 'model': --layers: expected int, got '2'"),
        ("[train]\nlearning-rate = nan", "section 'train': --learning-rate: expected a finite number, got nan"),
        ("[decode]\nmax-length = " + "9" * 20, f"--max-length: expected at most {10**18}, got {'9' * 20}"),
        ("[decode]\nmax-length = " + "9" * 5000, "is not valid TOML: Exceeds the limit"),
        ("[decode]\ntemperature = " + "9" * 400, "--temperature: expected a finite number, got a number of more than"),
        ("[model", "is not valid TOML: "),
        (b"[model]\nrnn = '\xff'", "is not valid TOML: "),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_by_name(toml, text, message):
    path = toml(text)
    with pytest.raises(OptionError) as error:
        read_config_file(path)
    assert str(error.value).startswith(f"--config {path}")
    assert message in str(error.value)


def test_a_typing_error_in_the_section_of_another_verb_is_found_too(toml):
    with pytest.raises(OptionError, match="unknown key 'epoch' in section 'train'"):
        resolved(DecodingConfig, ["--config", toml("[train]\nepoch = 3\n[decode]\nbeam-size = 2\n")])


def test_decode_and_generate_share_a_section(toml):
    file = toml("[decode]\nlength = 7\nbeam-size = 3\n")
    assert resolved(DecodingConfig, ["--config", file]).beam_size == 3
    assert generate.main(["--config", file]) == 2  # a language model and a beam


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match=r"--config none\.toml: cannot be read: No such file or directory"):
        read_config_file("none.toml")


# printing


def test_the_printed_configuration_reads_back_identically(toml, capsys, tmp_path):
    data = tmp_path / 'odd "name" \\ é\t.tsv'
    data.write_text("a\tb\n")
    given = ["--data", str(data), "--features-sep", "\x07|\x7f", "--learning-rate", "1e-05", "--max-minutes", "0.5"]
    assert train.main([*given, "--rnn", "gru", "--no-bidirectional", "--dropout", "0.25", "--print-config"]) == 0
    first = capsys.readouterr().out
    assert "embedding-size = 64\n" in first
    assert train.main(["--config", toml(first), "--print-config"]) == 0
    assert capsys.readouterr().out == first
    assert train.main(["--config", toml(first), "--epochs", "3", "--print-config"]) == 0
    assert capsys.readouterr().out == first.replace("[train]\n", "[train]\nepochs = 3\n")


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_go_through_toml_unchanged(section, toml):
    text = to_toml({section.section: section().to_dict()})
    assert section.from_dict(read_config_file(toml(text))[section.section], where="here") == section()


@pytest.mark.parametrize(
    "text", ["", 'quote " and \\', "tab\tend\n", "\x00\x1f\x7f\x85\u2028", "日本\U0001f600", "'''"]
)
def test_texts_are_escaped(text, toml):
    assert read_config_file(toml(f"[decode]\nprefix = {toml_value(text)}\n"))["decode"]["prefix"] == text


@pytest.mark.parametrize("number", [0.1, 1e-05, 1e22, 3, True, False])
def test_numbers_are_spelt_as_toml_has_them(number, toml):
    key = "bidirectional" if isinstance(number, bool) else "layers" if isinstance(number, int) else "dropout"
    section, key = ("train", "learning-rate") if key == "dropout" else ("model", key)
    value = read_config_file(toml(f"[{section}]\n{key} = {toml_value(number)}\n"))[section][key.replace("-", "_")]
    assert value == number and type(value) is type(number)


# help


@pytest.mark.parametrize(
    ("verb", "sections", "absent"),
    [
        (train, (DataConfig, ModelConfig, TrainingConfig), {"teacher_share"}),
        (distill, (ModelConfig, TrainingConfig), {"members", "window"}),
        (decode, (DecodingConfig,), set()),
    ],
)
def test_help_names_each_option_with_its_default_once(verb, sections, absent, capsys):
    with pytest.raises(SystemExit):
        verb.main(["--help"])
    entries = [" ".join(entry.split()) for entry in re.split(r"\n  (?=-)", capsys.readouterr().out)]
    for section in sections:
        for field in dataclasses.fields(section):
            flag = flag_of(field.name)
            if "internal" in field.metadata or field.name in absent:
                assert not any(entry.startswith(f"{flag} ") for entry in entries)
                continue
            (entry,) = [entry for entry in entries if entry.startswith((f"{flag} ", f"{flag},"))]
            assert all(alias in entry for alias in field.metadata["aliases"])
            if field.default not in (None, "") and field.default is not False:
                assert f"(default: {field.default})" in entry
            assert entry.count("default: ") <= 1


def test_help_wraps_prose_to_the_terminal_and_leaves_commands_and_names_whole(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    for verb in (train, decode, export, serve):
        with pytest.raises(SystemExit):
            verb.main(["--help"])
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 98
        assert not [line for line in lines if re.search(r"-(fra|max)-$", line)], "a name is cut at its hyphen"
        for command in (verb.EXAMPLE).splitlines():
            assert not command.startswith("  ") or command in lines
