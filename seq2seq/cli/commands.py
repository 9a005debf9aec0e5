"""Commands that a person types at a prompt, such as `:beam 5`: they change the options of the lines that follow."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.bundle.record import RUNS
from seq2seq.cli.shell import model_folder, say
from seq2seq.errors import OptionError, Seq2SeqError
from seq2seq.fields import flag_of, type_of, whole_number
from seq2seq.search_config import SamplingOptions

MARK = ":"  # a command begins with it, and a line that is none begins with two
OFF = "off"
Options = TypeVar("Options", bound=SamplingOptions)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command; one that sets an option names its field."""

    name: str
    argument: str  # as `:help` shows it; empty: none
    purpose: str
    field: str = ""


SETTINGS = (
    Command("beam", "K", "beam search with K hypotheses", "beam_size"),
    Command("greedy", "", "the most probable symbol at each step"),
    Command("temperature", "T", "samples from p^(1/T)", "temperature"),
    Command("top-k", "K|off", "samples among the K most probable", "top_k"),
    Command("top-p", "P|off", "samples among the fewest that reach P", "top_p"),
    Command("min-p", "P|off", "samples above P times the largest", "min_p"),
    Command("nbest", "N", "N results a line, each with rank_score", "n_best"),
    Command("samples", "N", "N texts for each prompt", "samples"),
    Command("length", "N", "symbols to write after the prompt", "length"),
    Command("seed", "N|off", "seed of sampling; off: a new one", "seed"),
)
MODEL = Command("model", "NAME", "another model, by folder or name in runs/")
LAST = (
    Command("help", "", "shows this list"),
    Command("quit", "", "ends, as Ctrl-D does"),
)


def settings_of(kind: type[SamplingOptions]) -> list[Command]:
    """Returns the commands that change options of a kind; a beam is for translators alone."""
    translator = hasattr(kind, "n_best")
    fields = {field.name for field in dataclasses.fields(kind)}
    return [
        one
        for one in SETTINGS
        if (one.field or "n_best") in fields and (translator or one.name not in ("beam", "greedy"))
    ]


def changed(config: Options, command: Command, argument: str) -> Options:
    """Returns options after a command; those that the command contradicts are turned off.

    Raises:
        OptionError: the argument is no number or out of range, or the options do not fit together; it names commands.

    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    filters = dict.fromkeys(("top_k", "top_p", "min_p"))
    values: dict[str, Any] = {}
    several = "n_best" if "n_best" in fields else "samples"
    if command.field:
        value = number(argument, command, type_of(fields[command.field])[0])
        values[command.field] = value
        if command.name == "beam":
            most = getattr(config, several)
            values |= {**filters, "temperature": None, several: min(most, value) if value else most}
        elif command.name == "temperature":
            values |= {"beam_size": None, **({} if value else {**filters, several: 1})}
    else:
        values = {**filters, "beam_size": None, "temperature": None, several: 1}
    try:
        return dataclasses.replace(config, **values)
    except OptionError as error:
        raise OptionError(in_commands(str(error), settings_of(type(config)))) from None


def number(text: str, command: Command, kind: type) -> int | float | None:
    """Reads the argument of a command; `off` is None.

    Raises:
        OptionError: it is missing or no number of this kind.

    """
    if text == OFF and command.argument.endswith(OFF):
        return None
    found: int | float | None = None
    if kind is int:
        found = whole_number(text)
    else:
        try:
            found = float(text)
        except ValueError:
            found = None
    if found is None:
        wanted = "a whole number" if kind is int else "a number"
        raise OptionError(f"{MARK}{command.name}: expected {wanted}, got {text!r}; such as {usage(command)}")
    return found


def usage(command: Command) -> str:
    """Shows how a command is typed, with an example for its argument."""
    examples = {"K": "5", "T": "0.7", "P": "0.9", "N": "3"}
    return f"{MARK}{command.name} {examples[command.argument[0]]}"


def typed_folder(name: str) -> Path:
    """Returns the folder of the model that `:model` names.

    Raises:
        OptionError: there is no name.

    """
    if not name:
        raise OptionError(f":model: expected a folder, or a name under {RUNS}/, got ''")
    return RUNS / name if not Path(name).exists() and (RUNS / name).is_dir() else model_folder(name)


def in_commands(message: str, commands: Iterable[Command]) -> str:
    """Writes the options of a message as the commands that set them."""
    names = {flag_of(one.field): MARK + one.name for one in commands if one.field}
    return re.sub(r"--[a-z-]*[a-z]", lambda flag: names.get(flag[0], flag[0]), message)


def described(config: SamplingOptions) -> str:
    """Describes in one line how the next line is decoded."""
    shown = []
    for one in settings_of(type(config)):
        value = getattr(config, one.field) if one.field else None
        idle = (one.name in ("nbest", "samples") and value == 1) or (
            one.name in ("temperature", "seed") and not config.temperature
        )
        if value is not None and not idle:
            shown.append(f"{one.name} {value}")
    return ", ".join(shown if getattr(config, "beam_size", None) or config.temperature else ["greedy", *shown])


def help_lines(commands: Iterable[Command]) -> list[str]:
    """Formats the commands, one a line."""
    rows = [(f"{MARK}{one.name} {one.argument}".rstrip(), one.purpose) for one in commands]
    wide = max(len(typed) for typed, _ in rows)
    return [f"  {typed:<{wide}}  {purpose}" for typed, purpose in rows]


def converse(
    verb: str,
    lines: Iterable[str],
    *,
    answer: Callable[[str], None],
    actions: Mapping[Command, Callable[[str], None]],
) -> None:
    """Answers typed lines, and carries out those that are commands. An error is one line; the next line may be good.

    Args:
        verb: its name, for messages.
        lines: what a person types.
        answer: receives each line that is no command.
        actions: receives the argument of a command, beside `:help` and `:quit`.

    """
    known = {command.name: command for command in (*actions, *LAST)}
    for line in lines:
        try:
            if not line.startswith(MARK) or line.startswith(2 * MARK):
                answer(line.removeprefix(MARK) if line.startswith(MARK) else line)
                continue
            name, _, argument = line.removeprefix(MARK).strip().partition(" ")
            if name == "quit":
                return
            if name == "help":
                say("\n".join([*help_lines(known.values()), "  A line that begins with :: is text that begins with :"]))
            elif name in known:
                actions[known[name]](argument.strip())
            else:
                raise OptionError(
                    f"{line}: unknown command; {MARK}help lists them, and a text that begins with : is typed with ::"
                )
        except Seq2SeqError as error:
            say(f"seq2seq {verb}: error: {' '.join(str(error).split())}")
