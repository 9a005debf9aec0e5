"""The form of `--help`: prose is wrapped to the terminal, command lines stay as they are, names are never cut."""

import argparse
import itertools
import textwrap


class HelpText(argparse.RawDescriptionHelpFormatter):
    """Help in which indented lines stand as written, and option names such as --max-minutes stay whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        shown: list[str] = []
        for as_written, lines in itertools.groupby(text.splitlines(), lambda line: not line or line.startswith(" ")):
            if as_written:
                shown += lines
            else:
                shown += textwrap.wrap(" ".join(lines), width, break_on_hyphens=False)
        return "\n".join(indent + line for line in shown)
