"""Small models of every kind for the tests of exports, and lines for them."""

import dataclasses

from conftest import bundle_maker
from tiny_language import make_model

from seq2seq.bundle.folder import load_bundle

TAGGED = [f"{one}{other}\t{other}{one}{end}\t{tag}" for tag, end in (("PST;AB", "p"), ("FUT;AB", "f"))
          for one in ("ab", "cd", "ef", "gh") for other in ("ij", "kl", "mn", "op")]  # fmt: skip
KOREAN = [f"{one}{other}.\t{other}{one}" for one in "가각힣한국" for other in "어말글값"]
WORDS = [f"{one} {other}\t{other} {one} x" for one in ("ab", "cd", "ef", "gh") for other in ("ij", "kl", "mn", "op")]
ADOPTED = {"before": [2], "after": [], "length": 6, "fill": 1, "left": True, "reversed": True, "clean": False}

# the fields of ModelConfig, the rows and the options of the data, and the record of each model
KINDS = {
    "lower": {"layers": 2, "rnn": "gru", "data": {"lowercase": True}},
    "bahdanau": {"rows": TAGGED, "data": {"features_col": 3}, "attention": "bahdanau", "gates": "hard_sigmoid"},
    "none": {
        "rows": WORDS, "data": {"source_sep": " ", "target_sep": " "}, "attention": "none", "bidirectional": False,
        "layers": 2,
    },
    "korean": {"rows": KOREAN, "data": {"decompose": True}},
    "edits": {"architecture": "transducer"},
    "tagged": {"rows": TAGGED, "data": {"features_col": 3}, "architecture": "transducer", "layers": 2},
}  # fmt: skip


def exportable(folder):
    """Makes the translators of KINDS in a folder, and one with an adopted model's rows; returns them by name."""
    make = bundle_maker(folder)
    found = {name: load_bundle(make(name, **options)) for name, options in KINDS.items()}
    plain = load_bundle(make("plain"))
    return {**found, "adopted": dataclasses.replace(plain, record={**plain.record, "source_form": ADOPTED})}


def language_models(folder):
    """Makes language models in a folder; returns them by name. The one with a window is like an adopted one."""
    text = make_model(folder / "text").bundle
    return {
        "text": text,
        "text words": make_model(folder / "text words", data={"unit": "word", "lowercase": True}).bundle,
        "window": dataclasses.replace(text, record={**text.record, "restarts": 5}),
    }


def lines_for(bundle):
    """Returns lines for a translator: its data's, an empty one, one with unknown symbols, and a long one."""
    if bundle.source_vocabulary.features_sep:
        return ["abij\tPST;AB", "cdkl\t\ufeffFUT", "ghop\t", " efmn \tNEW; AB", "zz\tPST", "", "abcdefgh" * 4 + "\tAB"]
    if bundle.source_vocabulary.separator:
        return ["ab ij", "gh  kl", "zz ab", "", "cd op " * 9]
    if bundle.source_vocabulary.decompose:
        return ["가어.", "힣말", "z국", "", "각값" * 9]
    return ["abcd.", "Efgh", " opab. ", "xé’\u00a0z", "", "abcdefgh" * 5]
