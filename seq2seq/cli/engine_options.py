"""The options that name what distributes work, and the Ray cluster: --engine and --address."""

import argparse

from seq2seq.errors import OptionError

LOCAL, RAY = "local", "ray"


def add_engine_options(group: argparse._ActionsContainer, purpose: str) -> None:
    """Adds --engine, whose help is `purpose`, and --address to a parser or a group of its options."""
    group.add_argument("--engine", choices=(LOCAL, RAY), help=purpose)
    group.add_argument("--address", metavar="HOST:PORT", help="a Ray cluster (default: one on this machine alone)")


def check_address(args: argparse.Namespace) -> None:
    """Refuses --address without --engine ray.

    Raises:
        OptionError: it is given so.

    """
    if args.address is not None and args.engine != RAY:
        raise OptionError(f"--address {args.address}: is that of a Ray cluster; give --engine ray too")
