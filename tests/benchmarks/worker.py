"""One side of a row in its own process: prepares, then answers `go` with a measurement and `end` with the rest."""

import json
import os
import sys


def main() -> None:
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    if kind == "ours":
        from tests.benchmarks.ours import Ours as Kind
    elif kind == "torch":
        from tests.benchmarks.fused_torch import FusedTorch as Kind
    elif kind == "naive":
        from tests.benchmarks.naive_keras import NaiveKeras as Kind
    elif kind == "decoding":
        from tests.benchmarks.decoding_side import Decoding as Kind
    elif kind == "cmudict-ours":
        from tests.benchmarks.cmudict_sides import Ours as Kind
    elif kind == "cmudict-g2p_en":
        from tests.benchmarks.cmudict_sides import G2pEn as Kind
    else:
        from tests.benchmarks.tutorial import KINDS

        Kind = KINDS[kind]  # noqa: N806
    side = Kind(**options)
    reply(answers, side.ready())
    for line in sys.stdin:
        reply(answers, side.go() if line.strip() == "go" else side.end())


def reply(answers, content):
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
