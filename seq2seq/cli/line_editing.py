"""Reads the lines that a person types at a terminal, with line editing and a history that later commands find again."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

HISTORY_LINES = 1000  # are kept


def editing() -> ModuleType | None:
    """Gives input() its line editing; returns the module, None where the system has none.

    It is imported when a person types, since some versions write a code to standard output when they are imported.
    """
    try:
        import readline
    except ImportError:  # Windows
        return None
    return readline


def history_file(verb: str) -> Path | None:
    """Returns where a verb's history is kept: in the user's folder for state; None where the user has no home.

    Source: XDG Base Directory Specification 0.8; a relative XDG_STATE_HOME counts as absent.
    """
    state, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
    if os.path.isabs(state):
        return Path(state) / "seq2seq" / f"{verb}_history"
    return Path(home) / ".local" / "state" / "seq2seq" / f"{verb}_history" if os.path.isabs(home) else None


@contextlib.contextmanager
def kept_history(path: Path | None) -> Iterator[None]:
    """Loads the history, and at the end adds what was typed since; a file that cannot be used is passed over."""
    readline = editing()
    if readline is None or path is None:
        yield
        return
    readline.clear_history()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # lines may be private
        readline.read_history_file(path)
    before = readline.get_current_history_length()
    try:
        yield
    finally:
        typed = readline.get_current_history_length() - before
        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            # another command may have added lines meanwhile; some builds cannot append
            if hasattr(readline, "append_history_file"):
                readline.append_history_file(typed, path)
            else:
                readline.write_history_file(path)


def typed_lines(verb: str) -> Iterator[str]:
    """Yields the lines that a person types until Ctrl-D."""
    prompt = "> " if sys.stdout.isatty() else ""  # a file or pipe gets results only: the prompt goes to stderr
    with kept_history(history_file(verb)):
        while True:
            if not prompt:
                print("> ", end="", file=sys.stderr, flush=True)
            try:
                yield input(prompt)
            except EOFError:
                print(file=sys.stderr)
                return
