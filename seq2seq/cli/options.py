"""Turns the configuration classes into command-line options, and options plus a TOML file into configurations."""

import argparse
import dataclasses
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError, excerpt
from seq2seq.fields import LARGEST, Config, check_value, flag_of, shown, type_of
from seq2seq.files.reading import read_small
from seq2seq.presets import PRESETS
from seq2seq.search_config import DecodingConfig, GenerationConfig

SECTIONS: tuple[type[Config], ...] = (DataConfig, ModelConfig, TrainingConfig, DecodingConfig, GenerationConfig)
AnyConfig = TypeVar("AnyConfig", bound=Config)


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Adds --config."""
    parser.add_argument("--config", metavar="FILE.toml", help="read options from a file; command-line options win")


def add_options(parser: argparse.ArgumentParser, config: type[Config], *, leave_out: Iterable[str] = ()) -> None:
    """Adds an option for every field of `config`; an option that is not given is absent from the parsed result."""
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


def add_tensorboard_option(parser: argparse.ArgumentParser) -> None:
    """Adds --tensorboard."""
    parser.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="write losses, scores and learning rate by step there for TensorBoard, with each checkpoint",
    )


def tensorboard_folder(args: argparse.Namespace) -> Path | None:
    """Returns the folder for event files; raises OptionError for an empty name."""
    if args.tensorboard == "":
        raise OptionError("--tensorboard: expected a folder, got ''; leave it out to write no event files")
    return Path(args.tensorboard) if args.tensorboard else None


def whole(text: str) -> int:
    """Reads a whole number, as argparse's `type`.

    Raises:
        ArgumentTypeError: it is not a whole number, or has thousands of digits.

    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {excerpt(text)}") from None


def in_range(option: str, value: int, *, at_least: int, at_most: int = LARGEST) -> int:
    """Returns the value of an option that belongs to no section.

    Raises:
        OptionError: it is out of range.

    """
    for outside, limit in ((value < at_least, f"at least {at_least}"), (value > at_most, f"at most {at_most}")):
        if outside:
            raise OptionError(f"{option}: expected {limit}, got {shown(value)}")
    return value


def read_config_file(path: str) -> dict[str, dict[str, Any]]:
    """Reads a TOML file with the sections data, model, train and decode; keys are option names.

    Raises:
        OptionError: the file cannot be read, a section or key is unknown, or a value is not allowed.

    """
    data = read_small(path, f"--config {path}")
    try:
        content = tomllib.loads(data.decode("utf-8").replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise OptionError(f"--config {path}: is not valid TOML: {error}") from error
    known: dict[str, dict[str, dataclasses.Field[Any]]] = {}
    for config in SECTIONS:
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


def choices_of(args: argparse.Namespace, *, sections: Iterable[type[Config]]) -> dict[str, dict[str, Any]]:
    """Collects the user's choices by section; an option wins over the configuration file, which wins over a preset.

    Raises:
        OptionError: the file or a value cannot be used.

    """
    path, given = getattr(args, "config", None), vars(args)
    file = read_config_file(path) if path else {}
    preset = PRESETS[given["preset"]] if given.get("preset") else {}
    chosen: dict[str, dict[str, Any]] = {}
    for config in sections:
        names = {field.name for field in dataclasses.fields(config)}
        # the section decode serves several verbs, and not all of them have all of its keys
        sources = (preset, file.get(config.section, {}), given)
        values = {name: value for source in sources for name, value in source.items() if name in names}
        config.from_dict(values, where=f"--config {path}" if path else "options")
        chosen[config.section] = values
    return chosen


def configured(config: type[AnyConfig], args: argparse.Namespace) -> AnyConfig:
    """Builds one section from the user's choices; raises as `choices_of`."""
    return config.from_dict(choices_of(args, sections=(config,))[config.section], where="options")
