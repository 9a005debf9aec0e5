"""Exports a model for any static host: the page of `serve`, and JavaScript that runs the model in a browser."""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import HALF, LICENCE, PRECISION
from seq2seq.config import TRANSDUCER, decoder_starts
from seq2seq.errors import BundleError
from seq2seq.exporting.examples import example_line, example_lines
from seq2seq.exporting.options import ExportOptions
from seq2seq.exporting.wording import kind_of
from seq2seq.files.writing import json_text, write_together
from seq2seq.text.source_layout import SourceForm

PAGE = Path(__file__).resolve().parents[1] / "serving" / "page"
SCRIPTS = Path(__file__).resolve().parent / "browser"  # its api.js answers what the page's asks a service for
MODEL, WEIGHTS = "model.json", "weights.bin"
EXAMPLES = 3  # that the page offers


def export(bundle: Bundle, folder: Path, options: ExportOptions) -> None:
    """Writes a page with a model into an empty folder.

    Args:
        bundle: the model.
        folder: receives `index.html`, `static/` (scripts), `model/` (model.json, weights.bin) and a README.
        options: of the export; none applies to this format.

    Raises:
        BundleError: the model is an ensemble, or has a form that the scripts do not run.

    """
    check(bundle)
    static, model = folder / "static", folder / "model"
    for made in (static, model):
        made.mkdir()
    for place in (PAGE, SCRIPTS):
        for file in sorted(place.iterdir()):
            if file.suffix in (".js", ".css", ".svg"):
                shutil.copyfile(file, static / file.name)
    weights = b"".join(values.tobytes() for values in stored(bundle).values())
    write_together(model, {MODEL: json_text(described(bundle)), WEIGHTS: weights})
    licence = {LICENCE: bundle.licence} if bundle.licence else {}
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    write_together(folder, {"index.html": page, "README.md": readme(bundle), **licence})


def check(bundle: Bundle) -> None:
    """Raises BundleError for a model that the scripts do not run."""
    form, vocabulary = bundle.model, bundle.target_vocabulary
    window = bool(bundle.record.get("restarts"))
    for refused, what, way_out in (
        (bool(bundle.members), f"an ensemble of {len(bundle.members)} models", "export a member"),
        (form.gates != "sigmoid" or form.combine != "tanh" or window, "a form of an adopted model", "use `serve`"),
        (
            bundle.source_vocabulary is None and bool(vocabulary.separator or bundle.data.unit != "char"),
            "a language model of words or separated symbols",
            "use `serve`",
        ),
    ):
        if refused:
            raise BundleError(f"{bundle.path}: is {what}, which --format web does not write; {way_out}")


def stored(bundle: Bundle) -> dict[str, np.ndarray]:
    """Returns the tensors by name, float16 where the model folder stores them so, else float32; little-endian."""
    half = bundle.record.get(PRECISION) == HALF
    tensors = dict(sorted(bundle.weights.items()))
    edits = bundle.edits.tensors() if bundle.edits else {}
    found = {name: values.astype("<f2" if half else "<f4") for name, values in tensors.items()}
    # four bytes each come first, so that every tensor begins at a multiple of its size
    return {**{name: values.astype("<f4") for name, values in edits.items()}, **found}


def described(bundle: Bundle) -> dict[str, Any]:
    """Returns what model.json holds: the layers, the vocabularies, the limits, and where each tensor is."""
    form, source = bundle.model, bundle.source_vocabulary
    kind = "language model" if source is None else "transducer" if form.architecture == TRANSDUCER else "translator"
    return {
        "format": 1,
        "name": bundle.path.resolve().name,
        "kind": kind,
        "model": {
            "rnn": form.rnn,
            "units": form.units,
            "layers": form.layers,
            "source": source is not None,
            "bidirectional": form.bidirectional,
            "encoder_layers": form.encoder_layers or form.layers,
            "wired": decoder_starts(form),
            "attention": form.attention,
            "bridge": form.bridge,
        },
        "lowercase": bundle.data.lowercase,
        "source_form": SourceForm.from_record(bundle.record).to_dict(),
        "lengths": dataclasses.asdict(bundle.lengths),
        "source_vocabulary": source and source.to_json(),
        "target_vocabulary": bundle.target_vocabulary.to_json(),
        "examples": example_lines(bundle)[:EXAMPLES] or [example_line(bundle)],
        "tensors": list(places(stored(bundle))),
    }


def places(tensors: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Yields name, shape, dtype and offset (bytes) of each tensor."""
    offset = 0
    for name, values in tensors.items():
        yield {"name": name, "shape": list(values.shape), "dtype": values.dtype.name, "offset": offset}
        offset += values.nbytes


def readme(bundle: Bundle) -> str:
    """Returns the text that goes with the folder."""
    name = bundle.path.resolve().name
    call = (
        'for (const symbol of model.stream("The ", {length: 200, temperature: 0.7, seed: 1})) console.log(symbol);'
        if bundle.source_vocabulary is None
        else f"console.log(model.translate({example_line(bundle)!r}, {{beamSize: 5}}));"
    )
    return f"""# {name}

A {kind_of(bundle)}, with a page that runs it in the browser: no server computes anything, and nothing is loaded from
elsewhere. Put the folder on any static host, or look at it here:

```
python -m http.server --bind 127.0.0.1 8000      # then open http://127.0.0.1:8000/
```

A page of your own needs `static/` and `model/`:

```html
<script type="module">
import {{load}} from "./static/seq2seq.js";
const model = await load("./model/");
{call}
</script>
```

`translate(line, options)` returns the text of the best output. `outputs` returns all of them, the best first, each with
`text`, `symbols`, `logProbs` and `score` in nats, and `finished`. `explain` returns each symbol's probability and
alternatives, and where the model looked. Options: `beamSize`, `lengthPenalty`, `temperature`, `topK`, `topP`, `minP`,
`seed`, `prefix`, `minLength`, `maxLength`, and `number` (of the line, on which draws depend). A language model has
`generate(prompt, options)` and `stream`, with `length`.

Texts are those of `seq2seq decode` and `seq2seq generate` with the same options, sampled ones too, except where two
candidates lie within the rounding of floating-point numbers. Three things are left out: the beam's tree, what a text
quotes from its training data, and the order of several accents on one letter in the output of a model that decomposes.
"""
