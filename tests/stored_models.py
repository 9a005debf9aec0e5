"""Writes tests/data/models/VERSION: a small model folder of each kind, with texts that every later version must give.

Run it once, when a version is released: PYTHONPATH=tests python -m tests.stored_models 0.1.0
The folders of a released version are never written again. The weights are random.
"""

import sys
import tempfile
from pathlib import Path

import seq2seq
from seq2seq.files.writing import json_text
from seq2seq.hub.transfer import public_files
from seq2seq.training.assembly import assemble
from seq2seq.training.shrinking import shrink

FOLDER = Path(__file__).parent / "data" / "models"
EXPECTED = "expected.json"  # beside the folders of a version: what each gives for each input
LINES = {"tagged": ["abcd\tPST;AB", "ghab\tAB", "cdmn\tFUT;NEW"], "words": ["the gulls", "every"]}
USUAL_LINES, PROMPTS = ["abcd.", "opgh.", "ab", "ñandú"], ["The fer", "gulls"]
LIMITS = {"max_length": 12}
TEXT = "The ferry left the quay at seven. Every morning Ada fed the gulls, and the gulls said nothing.\n" * 20


def make_models(place):
    """Makes a folder of each kind of model in the folder `place`; returns them by name."""
    from tests.conftest import bundle_maker
    from tests.test_transducer import TAGGED
    from tests.tiny_language import make_model

    make = bundle_maker(place)
    folders = {
        "attention": make("attention"),
        "gru": make("gru", rnn="gru", attention="bahdanau", layers=2, bidirectional=False, seed=3),
        "transducer": make("transducer", architecture="transducer"),
        "tagged": make("tagged", rows=TAGGED, data={"features_col": 3}, architecture="transducer"),
        "text": make_model(place / "text", TEXT, scale=2.5).bundle.path,
        "words": make_model(place / "words", TEXT, data={"unit": "word"}, scale=2.5, rnn="gru").bundle.path,
    }
    for name, members in (
        ("ensemble", [folders["attention"], make("other", seed=2)]),
        ("texts", [folders["text"], make_model(place / "other-text", TEXT, scale=2.5, seed=1).bundle.path]),
    ):
        folders[name] = place / name
        assemble(members, folders[name])
    folders["half"] = place / "half"
    shrink(folders["attention"], folders["half"], licence="CC0 1.0\n")
    return folders


def outputs_of(folder, inputs=None):
    """Returns what a model gives for each input, by input; by default for the inputs that fit its name."""
    model = seq2seq.load(folder)
    if isinstance(model, seq2seq.LanguageModel):
        prompts = inputs or PROMPTS
        return {prompt: model.generate(prompt, length=20, temperature=0, seed=1) for prompt in prompts}
    lines = inputs or LINES.get(folder.name, USUAL_LINES)
    return dict(zip(lines, model.translate(lines, **LIMITS), strict=True))


def main(version):
    """Writes the folders of one version, without places of this computer."""
    expected = {}
    with tempfile.TemporaryDirectory() as place:
        for name, folder in make_models(Path(place)).items():
            for part, content in public_files(folder).items():
                target = FOLDER / version / name / part
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
            expected[name] = outputs_of(FOLDER / version / name)
    (FOLDER / version / EXPECTED).write_text(json_text(expected), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
