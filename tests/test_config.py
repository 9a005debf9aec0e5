import dataclasses
import re

import pytest

from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.fields import Config, flag_of
from seq2seq.search_config import DecodingConfig, GenerationConfig

SECTIONS = (DataConfig, ModelConfig, TrainingConfig, DecodingConfig, GenerationConfig)
FIELDS = [(section, field) for section in SECTIONS for field in dataclasses.fields(section)]
NAMES = [f"{section.section}.{field.name}" for section, field in FIELDS]


def test_an_unknown_key_names_the_place_and_the_keys():
    with pytest.raises(OptionError) as error:
        ModelConfig.from_dict({"hiden_size": 3}, where="my.toml")
    assert str(error.value) == (
        "my.toml: unknown key 'hiden_size' in section 'model'; the keys are "
        "architecture, attention, bidirectional, dropout, embedding_size, hidden_size, layers, rnn"
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_dictionaries_go_there_and_back(section):
    config = section()
    assert section.from_dict(config.to_dict(), where="here") == config


def test_an_encoding_is_recorded_and_a_record_without_one_is_utf_8():
    assert DataConfig(encoding="cp1252").to_dict()["encoding"] == "cp1252"
    older = {name: value for name, value in DataConfig().to_dict().items() if name != "encoding"}
    assert DataConfig.from_dict(older, where="here") == DataConfig()


@pytest.mark.parametrize(("section", "field"), FIELDS, ids=NAMES)
def test_every_option_has_a_help_text_and_refuses_what_lies_outside_its_range(section, field):
    limits = field.metadata
    assert limits["help"]
    outside = {
        "at_least": lambda limit: limit - 1,
        "at_most": lambda limit: limit + 1,
        "above": lambda limit: limit,
    }
    words = {"at_least": "at least", "at_most": "at most", "above": "more than"}
    for name, step in outside.items():
        if limits[name] is None:
            continue
        value = step(limits[name])
        expected = f"{flag_of(field.name)}: expected {words[name]} {limits[name]}, got {value!r}"
        with pytest.raises(OptionError, match=re.escape(expected)):
            section(**{field.name: value})
    if limits["choices"]:
        with pytest.raises(OptionError) as error:
            section(**{field.name: "maybe"})
        choices = ", ".join(limits["choices"])
        assert str(error.value) == f"{flag_of(field.name)}: expected one of {choices}, got 'maybe'"


@pytest.mark.parametrize(("section", "field"), FIELDS, ids=NAMES)
def test_every_option_refuses_a_value_of_another_type(section, field):
    with pytest.raises(OptionError, match=f"^{flag_of(field.name)}: expected (int|float|str|bool), got \\[\\]$"):
        section(**{field.name: []})


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (ModelConfig, {"hidden_size": True}, "--hidden-size: expected int, got True"),
        (ModelConfig, {"hidden_size": 2.0}, "--hidden-size: expected int, got 2.0"),
        (ModelConfig, {"bidirectional": 1}, "--bidirectional: expected bool, got 1"),
        (ModelConfig, {"hidden_size": 7}, "--hidden-size: a bidirectional encoder needs an even number, got 7"),
        (TrainingConfig, {"learning_rate": float("nan")}, "--learning-rate: expected a finite number, got nan"),
        (DecodingConfig, {"temperature": float("inf")}, "--temperature: expected a finite number, got inf"),
        (DecodingConfig, {"temperature": -0.5}, "--temperature: expected at least 0.0, got -0.5"),
        (DecodingConfig, {"max_length": 10**18 + 1}, f"--max-length: expected at most {10**18}, got {10**18 + 1}"),
        (
            DecodingConfig,
            {"max_length": 10**5000},
            f"--max-length: expected at most {10**18}, got a number of more than 60 digits",
        ),
        (GenerationConfig, {"length": 10**19}, f"--length: expected at most {10**18}, got {10**19}"),
        (
            DecodingConfig,
            {"temperature": 10**400},
            "--temperature: expected a finite number, got a number of more than 60 digits",
        ),
        (
            GenerationConfig,
            {"top_k": 3, "temperature": 0.0},
            "--top-k filters what is drawn and needs --temperature above 0, such as 0.7",
        ),
        (DecodingConfig, {"prefix": "\udcff"}, "--prefix: expected UTF-8 text, got '\\udcff'"),
        (
            DecodingConfig,
            {"beam_size": 3, "temperature": 0.0},
            "--beam-size and --temperature exclude each other: a beam finds the most probable output, "
            "a temperature samples one; give one of them",
        ),
        (DecodingConfig, {"top_k": 3}, "--top-k filters what is drawn and needs --temperature above 0, such as 1"),
        (
            DecodingConfig,
            {"top_p": 0.9, "temperature": 0.0},
            "--top-p filters what is drawn and needs --temperature above 0, such as 1",
        ),
        (DecodingConfig, {"min_p": 0.1}, "--min-p filters what is drawn and needs --temperature above 0, such as 1"),
        (
            DecodingConfig,
            {"n_best": 3, "beam_size": 2},
            "--n-best 3 needs at least as many hypotheses: give --beam-size 3 or more, or --temperature for samples",
        ),
        (DecodingConfig, {"min_length": 5, "max_length": 4}, "--min-length 5 is above --max-length 4"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(section, values, message):
    with pytest.raises(OptionError) as error:
        section(**values)
    assert str(error.value) == message


def test_a_hidden_size_that_nothing_decided_is_the_usual_one():
    assert (ModelConfig().units, ModelConfig(hidden_size=8).units) == (256, 8)


def test_an_odd_hidden_size_suits_an_encoder_of_one_direction():
    assert ModelConfig(hidden_size=7, bidirectional=False).hidden_size == 7


def test_whole_numbers_serve_where_fractions_may_stand():
    assert TrainingConfig(max_minutes=10, learning_rate=1).to_dict()["max_minutes"] == 10


def test_samples_need_no_beam():
    assert DecodingConfig(n_best=3, temperature=0.7).n_best == 3


def test_configurations_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().layers = 2
    assert issubclass(ModelConfig, Config)


@pytest.mark.parametrize("config", [DecodingConfig, GenerationConfig])
def test_no_filter_is_on_unless_it_is_asked_for(config):
    assert {config().top_k, config().top_p, config().min_p} == {None}
    assert not [field.name for field in dataclasses.fields(config) if "ngram" in field.name or "repeat" in field.name]
