"""The `models` verb: lists models, makes one smaller, and sends one to a hub or fetches one from there."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.bundle.record import RUNS, named_bundle
from seq2seq.cli.shell import make_parser, run_verb, say
from seq2seq.errors import OptionError
from seq2seq.files.reading import read_small
from seq2seq.hub.summary import Summary, known_models
from seq2seq.hub.transfer import check_repository, pull, push
from seq2seq.training.shrinking import shrink

EXAMPLE = (
    "  seq2seq models                              lists the models of the package and those under runs/\n"
    "  seq2seq models shrink runs/mine small       copies a model with float16 weights, half as large\n"
    "  seq2seq models push runs/mine me/mine       publishes a model with a model card\n"
    "  seq2seq models pull me/mine                 fetches it into runs/mine, and verifies it\n\n"
    "push and pull need the extra `hub`. The token is the one of `hf auth login` or HF_TOKEN; HF_ENDPOINT names\n"
    "another hub. push sends the parts of the model and a README.md, without the paths of your data."
)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options."""
    parser = make_parser("models", "List models, make one smaller, send one to a hub or fetch one.", EXAMPLE)
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="without one: the list")
    smaller = actions.add_parser("shrink", help="copy a model with float16 weights", allow_abbrev=False)
    smaller.add_argument("model", metavar="DIR", help="a finished model, of any kind")
    smaller.add_argument("out", metavar="OUT", help="the new folder")
    smaller.add_argument("--licence", metavar="FILE", help="a text whose first line names the licence of the data")
    send = actions.add_parser("push", help="send a model to a hub", allow_abbrev=False)
    send.add_argument("model", metavar="DIR", help="a finished model, or the name of a model of the package")
    send.add_argument("repository", metavar="REPO", help="OWNER/NAME; made if it is absent")
    send.add_argument("--private", action="store_true", help="nobody but the owner sees it")
    send.add_argument("--revision", metavar="BRANCH", help="a branch (default: main)")
    take = actions.add_parser("pull", help="fetch a model from a hub", allow_abbrev=False)
    take.add_argument("repository", metavar="REPO", help="OWNER/NAME")
    take.add_argument("folder", metavar="DIR", nargs="?", help=f"the new folder (default: {RUNS}/NAME)")
    take.add_argument("--revision", metavar="REVISION", help="a branch, tag or commit (default: main)")
    args = parser.parse_args(argv)
    if args.json and args.action:
        raise OptionError(f"--json: is about the list, and {args.action} prints none; leave one of them out")
    return args


def run(argv: Sequence[str]) -> int:
    """Carries out one action."""
    args = parse(argv)
    if args.action == "shrink":
        shrink(named_bundle(args.model), Path(args.out), licence=read_licence(args.licence), report=say)
        say(f"finished: {args.out}")
    elif args.action == "push":
        folder = named_bundle(args.model)
        print(push(folder, args.repository, private=args.private, revision=args.revision))
    elif args.action == "pull":
        folder = Path(args.folder) if args.folder else RUNS / check_repository(args.repository)
        pull(args.repository, folder, revision=args.revision, report=say)
        say(f"verified: {folder}")
    else:
        show(as_json=args.json)
    return 0


def read_licence(path: str | None) -> str:
    """Reads the text of a licence; an empty string where none is given.

    Raises:
        OptionError: the file cannot be read, or is empty.

    """
    if path is None:
        return ""
    content = read_small(path, f"--licence {path}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OptionError(f"--licence {path}: cannot be read: it is not UTF-8 text; give a text file") from error
    if not text.strip():
        raise OptionError(f"--licence {path}: expected the name of a licence in the first line, got an empty file")
    return text


def show(*, as_json: bool) -> None:
    """Prints the models of the package and those under `runs/`; reports those that cannot be read."""
    found, problems = known_models(RUNS)
    for problem in problems:
        say(problem)
    if as_json:
        print(json.dumps([summary.as_dict() for summary in found], ensure_ascii=False, indent=1))
    elif not found:
        say(f"no models: this copy of the package has none, and nothing is finished under {RUNS}/")
    else:
        print("\n".join(map(described, found)))


def described(summary: Summary) -> str:
    """Formats a model in a few lines."""
    members = f", {summary.members} members" if summary.members > 1 else ""
    facts = {
        "scores": f"{summary.scores_text} ({summary.part} part)" if summary.scores else "",
        "data": ", ".join(filter(None, (summary.data, summary.licence))),
    }
    head = f"{summary.name}: {summary.kind}{members}, {summary.size / 1e6:.1f} MB, {summary.origin}, {summary.folder}"
    return "\n".join([head, *(f"    {name}: {text}" for name, text in facts.items() if text)])


main = partial(run_verb, "models", run)

if __name__ == "__main__":
    sys.exit(main())
