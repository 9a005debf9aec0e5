"""Exports a model as LiteRT files (TensorFlow Lite) for phones and small devices, with LiteRT's operations alone."""

import tempfile
from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.examples import example_line
from seq2seq.exporting.keras_files import outputs_of, parts_of, refuse_members, table, texts_and_loop
from seq2seq.exporting.keras_loop import Library, loop_of
from seq2seq.exporting.options import ExportOptions
from seq2seq.exporting.plain_models import PlainModels, plain_models
from seq2seq.exporting.quiet import quiet
from seq2seq.exporting.wording import edits_of, kind_of, level_of, other_files
from seq2seq.files.writing import write_together
from seq2seq.models.backend import keras, tf
from seq2seq.native_output import native_stderr_closed


def export(bundle: Bundle, folder: Path, options: ExportOptions) -> None:
    """Writes `encoder.tflite` and `decoder.tflite`, the vocabularies and a README into an empty folder.

    Args:
        bundle: the model.
        folder: receives the files.
        options: of the export; none applies to this format.

    Raises:
        BundleError: the model is an ensemble, which is several pairs of files.

    """
    refuse_members(bundle, "litert")
    models = plain_models(bundle, steps=1)
    for name, model in parts_of(models).items():
        (folder / f"{name}.tflite").write_bytes(converted(name, model, ports_of(bundle, name, model)[1]))
    write_together(folder, {**other_files(bundle), **edits_of(bundle), "README.md": readme(bundle, models)})


def ports_of(bundle: Bundle, name: str, model: keras.Model) -> tuple[list[str], list[str]]:
    """Returns the names of a model's inputs and outputs, in order."""
    outputs = [text.partition("`")[2].partition("`")[0] for text in outputs_of(bundle, name, len(model.outputs))]
    return [tensor.name for tensor in model.inputs], outputs


def converted(name: str, model: keras.Model, outputs: list[str]) -> bytes:
    """Returns a model in LiteRT's form, with the signature `name`.

    The number of rows is 1. With any number the converter refuses the encoder, whose loop over the source needs lists
    of tensors of a fixed shape; and a decoder that it converted gave wrong results where it ran again.
    """

    def run(**inputs: Any) -> dict[str, Any]:
        found = model([inputs[tensor.name] for tensor in model.inputs], training=False)
        return dict(zip(outputs, found, strict=True))

    specs = {each.name: tf.TensorSpec([1, *each.shape[1:]], each.dtype, each.name) for each in model.inputs}
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as place, native_stderr_closed(), quiet():
        function = tf.function(run, autograph=False).get_concrete_function(**specs)
        tf.saved_model.save(module, place, signatures={name: function})
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=[name]).convert()
    return content


def library_of(bundle: Bundle, models: PlainModels) -> Library:
    """Returns how a script loads these models."""
    ports = {name: ports_of(bundle, name, model) for name, model in parts_of(models).items()}
    prelude = f"""tensor, argmax = np.array, np.argmax
ports = {{  # the names of inputs and outputs
    {"".join(f'"{name}": {each!r},' + chr(10) + "    " for name, each in ports.items()).rstrip()}
}}


def loaded(part):
    inputs, outputs = ports[part]
    run = tf.lite.Interpreter(f"{{part}}.tflite").get_signature_runner(part)

    def model(values):
        found = run(**dict(zip(inputs, values if isinstance(values, list) else [values])))
        return [found[name] for name in outputs]

    return model"""
    return Library(("numpy as np", "tensorflow as tf"), prelude)


def readme(bundle: Bundle, models: PlainModels) -> str:
    """Returns the text of README.md."""
    lines = [
        f"# {bundle.path.name}: LiteRT models",
        "",
        f"A {level_of(bundle)} {kind_of(bundle)}. The files have only LiteRT's own operations, so that its smallest",
        "runtime runs them; weights and results are float32. The loop below takes the interpreter from TensorFlow;",
        "without TensorFlow, take `Interpreter` from `ai_edge_litert.interpreter`. B is 1: one source, one output.",
        "",
        "## Models",
        "",
    ]
    for name, model in parts_of(models).items():
        size = "sources of any length S" if name == "encoder" else "one step, T = 1"
        lines += [f"`{name}.tflite`, signature `{name}`, {size}:", "", *table(bundle, model.inputs), ""]
        lines += [f"Outputs: {', '.join(outputs_of(bundle, name, len(model.outputs)))}.", ""]
    loop = loop_of(bundle, example_line(bundle), library_of(bundle, models))
    return "\n".join([*lines, *texts_and_loop(bundle, loop)])
