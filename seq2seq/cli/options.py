"""Turns the configuration classes into command-line options, and options plus a TOML file into configurations."""

import argparse
import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from seq2seq.config import DataConfig, DecodingConfig, GenerationConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError, excerpt
from seq2seq.fields import Config, check_value, flag_of, type_of
from seq2seq.presets import PRESETS

SECTIONS: tuple[type[Config], ...] = (DataConfig, ModelConfig, TrainingConfig, DecodingConfig)
ALL_SECTIONS: tuple[type[Config], ...] = (*SECTIONS, GenerationConfig)  # as a file may have them
AnyConfig = TypeVar("AnyConfig", bound=Config)


class Choices(NamedTuple):
    """What a user chose, section by section; names that are absent keep their defaults."""

    data: dict[str, Any]
    model: dict[str, Any]
    train: dict[str, Any]
    decode: dict[str, Any]


def add_options(parser: argparse.ArgumentParser, config: type[Config], *, leave_out: Iterable[str] = ()) -> None:
    """Adds an option for every field of `config`; an option that is not given leaves no trace in the result."""
    group = parser.add_argument_group(f"{config.section} options")
    for field in dataclasses.fields(config):
        if field.name in leave_out or "internal" in field.metadata:
            continue
        limits = field.metadata
        names = (flag_of(field.name), *limits["aliases"])
        kind, _ = type_of(field)
        plain = field.default is None or field.default is False or field.default == ""
        shown = limits["help"] if plain else f"{limits['help']} (default: {field.default})"
        shared: dict[str, Any] = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": shown.replace("%", "%%"),
        }
        if kind is bool:
            group.add_argument(*names, action=argparse.BooleanOptionalAction, **shared)
        else:
            shared["metavar"] = limits["metavar"] or ("|".join(limits["choices"]) or kind.__name__.upper())
            group.add_argument(*names, type=whole if kind is int else kind, **shared)


def whole(text: str) -> int:
    """Reads the whole number of an option, for argparse.

    Raises:
        ArgumentTypeError: it is none, or one of thousands of digits.

    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {excerpt(text)}") from None


def read_config_file(path: str) -> dict[str, dict[str, Any]]:
    """Reads a TOML file of sections data, model, train and decode; keys are option names.

    Raises:
        OptionError: the file cannot be read, a section or key is unknown, or a value cannot be meant.

    """
    try:
        with Path(path).open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise OptionError(f"--config {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise OptionError(f"--config {path}: is not valid TOML: {error}") from error
    known: dict[str, dict[str, dataclasses.Field[Any]]] = {}
    for config in ALL_SECTIONS:
        fields = {field.name: field for field in dataclasses.fields(config) if "internal" not in field.metadata}
        known.setdefault(config.section, {}).update(fields)
    for name, values in content.items():
        if name not in known or not isinstance(values, dict):
            raise OptionError(f"--config {path}: unknown section {name!r}; the sections are {', '.join(sorted(known))}")
        for key, value in values.items():
            field = known[name].get(key.replace("-", "_"))
            if field is None:
                keys = ", ".join(sorted(each.replace("_", "-") for each in known[name]))
                raise OptionError(f"--config {path}: unknown key {key!r} in section {name!r}; the keys are {keys}")
            try:
                check_value(field, value)
            except OptionError as error:
                raise OptionError(f"--config {path}, section {name!r}: {error}") from None
    return {name: {key.replace("-", "_"): value for key, value in values.items()} for name, values in content.items()}


def choices_of(args: argparse.Namespace, *, sections: Iterable[type[Config]]) -> Choices:
    """Collects what was chosen: an option beats the configuration file, which beats a preset."""
    path = getattr(args, "config", None)
    file = read_config_file(path) if path else {}
    given = vars(args)
    chosen: dict[str, dict[str, Any]] = {name: {} for name in Choices._fields}
    preset = preset_values(given.get("preset"))
    for config in sections:
        names = {field.name for field in dataclasses.fields(config)}
        values = chosen[config.section]
        values.update({name: value for name, value in preset.items() if name in names})
        # the section decode serves several verbs, and not all of them have all of its keys
        values.update({name: value for name, value in file.get(config.section, {}).items() if name in names})
        values.update({name: value for name, value in given.items() if name in names})
        config.from_dict(values, where=f"--config {path}" if path else "options")
    return Choices(**chosen)


def preset_values(name: str | None) -> Mapping[str, Any]:
    """Returns the options a preset stands for; none for no preset."""
    if name is None:
        return {}
    if name not in PRESETS:
        raise OptionError(f"--preset: expected one of {', '.join(sorted(PRESETS))}, got {name!r}")
    return PRESETS[name]


def configured(config: type[AnyConfig], values: Mapping[str, Any]) -> AnyConfig:
    """Builds one section from chosen values."""
    return config.from_dict(values, where="options")
