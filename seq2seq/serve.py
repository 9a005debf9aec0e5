"""The `serve` verb: answers HTTP requests with one or more models."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.bundle.exported import identity
from seq2seq.bundle.record import RUNS, named_bundle
from seq2seq.cli.options import add_options, configured, whole
from seq2seq.cli.shell import make_parser, model_folder, run_verb, say
from seq2seq.cores import core_count
from seq2seq.errors import OptionError
from seq2seq.extras import installing
from seq2seq.inference.processes import ModelProcesses
from seq2seq.serving.limits import Limits
from seq2seq.serving.work import ByName, load_by_name

EXAMPLE = (
    "  seq2seq serve --model runs/fra-eng\n"
    "  seq2seq serve --model runs/fra-eng runs/prose --port 8080 --api-key SECRET --rate 60\n"
    "  curl -d q='How are you?' -d source=en -d target=fr http://127.0.0.1:8000/translate\n\n"
    "The service answers as LibreTranslate does (POST /translate, GET /languages) and as OpenAI does\n"
    "(POST /v1/completions, GET /v1/models); GET /openapi.json describes all endpoints. It listens on this machine's\n"
    "own address only, unless --host names another."
)
MOST_JOBS = 256
KEY_VARIABLE = "SEQ2SEQ_API_KEY"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options."""
    parser = make_parser("serve", "Answer HTTP requests with one or more models.", EXAMPLE)
    parser.add_argument(
        "--model", metavar="DIR", nargs="+", action="extend", default=[],
        help=f"model folders (default: the newest finished one under {RUNS}/)",
    )  # fmt: skip
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}", metavar="NAME", action="append", default=[],
            help=f"the {side} language, such as en, where the model's data does not say it; once for each model",
        )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=whole, default=8000, help="port, 0 for a free one (default: 8000)")
    parser.add_argument(
        "--api-key", metavar="KEY", action="append", default=[],
        help=f"clients must give this key; can be given several times (also: ${KEY_VARIABLE})",
    )  # fmt: skip
    parser.add_argument(
        "--cors", metavar="ORIGIN", action="append", default=[],
        help="pages of this origin may use the service, such as https://example.org; can be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=whole, default=core_count(),
        help="processes that decode requests; 0: threads of one process (default: the number of cores, %(default)s)",
    )  # fmt: skip
    parser.add_argument("--runs", metavar="DIR", default=str(RUNS), help=f"runs that the page shows (default: {RUNS})")
    parser.add_argument("--doctor", action="store_true", help="examine files that clients send, as `doctor` does")
    parser.add_argument("--log-requests", action="store_true", help="write a JSON line for each request on stderr")
    add_options(parser, Limits)
    args = parser.parse_args(argv)
    if not 0 <= args.port <= 65535:
        raise OptionError(f"--port: expected 0 to 65535, got {args.port}")
    if not 0 <= args.jobs <= MOST_JOBS:
        raise OptionError(f"--jobs: expected 0 to {MOST_JOBS}, got {args.jobs}")
    if not all(key.strip() for key in args.api_key):  # every request without a key would have this one
        raise OptionError("--api-key: expected a key, got an empty one; give one, or leave the option out")
    return args


def run(argv: Sequence[str]) -> int:
    """Answers requests until a signal ends the process."""
    args = parse(argv)
    limits = configured(Limits, args)
    if args.doctor and os.name != "posix":
        raise OptionError("--doctor: needs limits on processes, which only POSIX systems have; leave it out")
    folders = [named_bundle(given) for given in args.model] or [model_folder(None, otherwise="fra-eng")]
    if not args.jobs:
        return answer(args, limits, folders, None)
    with ModelProcesses(
        partial(load_by_name, {folder: identity(folder) for folder in folders}), args.jobs
    ) as processes:
        processes.warm()  # while this process imports the HTTP server
        return answer(args, limits, folders, processes)


def answer(
    args: argparse.Namespace, limits: Limits, folders: Sequence[Path], processes: ModelProcesses[ByName] | None
) -> int:
    """Answers requests until a signal ends the process."""
    try:
        from seq2seq.serving import server
        from seq2seq.serving.guard import is_loopback
        from seq2seq.serving.served import load_models
        from seq2seq.serving.service import Service, Settings
    except ImportError as error:
        raise OptionError(
            f"needs {error.name}, which is not installed; to install the service, {installing('serve')}"
        ) from None
    server.end_at_sigterm()
    with server.listen(args.host, args.port) as listening:
        models = load_models(folders, args.source, args.target)
        settings = Settings(
            limits=limits,
            api_keys=[*args.api_key, *filter(None, [os.environ.get(KEY_VARIABLE)])],
            local=is_loopback(args.host),
            origins=args.cors,
            runs=Path(args.runs),
            doctor=args.doctor,
            processes=processes,
            log=log if args.log_requests else None,
        )
        if not settings.local and not settings.api_keys:
            say(f"warning: anybody who reaches {args.host} can use the service; --api-key KEY asks for a key")
        say(f"serving {', '.join(served.name for served in models)} at {server.address_of(listening)}")
        server.answer(Service(models, settings), listening)
    return 0


def log(entry: dict[str, object]) -> None:
    """Writes a line of the log."""
    say(json.dumps(entry))


main = partial(run_verb, "serve", run)

if __name__ == "__main__":
    sys.exit(main())
