"""Exports a model as a TensorFlow SavedModel, whose functions take texts; TensorFlow Serving runs it as it is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.errors import BundleError
from seq2seq.exporting.options import ExportOptions
from seq2seq.exporting.quiet import quiet
from seq2seq.exporting.saved_readme import readme
from seq2seq.exporting.tf_language import GraphLanguageModel
from seq2seq.exporting.tf_models import GraphModel, Tensors, is_shared, transduces
from seq2seq.exporting.tf_translator import GraphTranslator
from seq2seq.exporting.wording import other_files
from seq2seq.files.writing import write_together
from seq2seq.models.backend import tf
from seq2seq.native_output import native_stderr_closed
from seq2seq.special import END

Function = Callable[..., Any]  # a tf.function with one signature


def export(bundle: Bundle, folder: Path, options: ExportOptions) -> None:
    """Writes a SavedModel, the vocabularies and a README into an empty folder.

    Args:
        bundle: the model; may be an ensemble.
        folder: receives the files.
        options: of the export; none applies to this format.

    Raises:
        BundleError: the model reads a window of text again at each step.

    """
    window = bundle.record.get("restarts", 0)
    if window:
        raise BundleError(
            f"{bundle.path}: reads its last {window} symbols again at each step, and --format savedmodel writes models "
            "that carry a state; use --format keras"
        )
    with native_stderr_closed(), quiet():
        graph = GraphLanguageModel(bundle) if bundle.source_vocabulary is None else GraphTranslator(bundle)
        module = tf.Module()
        module.weights, module.tables = graph.model.variables, graph.tables
        signatures = dict(functions_of(bundle, graph))
        tf.saved_model.save(module, str(folder), signatures=signatures)
    write_together(folder, {**other_files(bundle), "README.md": readme(bundle, signatures)})


def functions_of(bundle: Bundle, graph: GraphTranslator | GraphLanguageModel) -> Iterator[tuple[str, Function]]:
    """Yields the name and the function of each signature."""
    if isinstance(graph, GraphLanguageModel):
        state = graph.model.empty(1)
        if not bundle.target_vocabulary.separator:
            yield (
                "generate",
                concrete(
                    graph.generate,
                    prompts=tf.TensorSpec([None], tf.string, "prompts"),
                    length=tf.TensorSpec([], tf.int32, "length"),
                    temperature=tf.TensorSpec([], tf.float32, "temperature"),
                    seed=tf.TensorSpec([], tf.int64, "seed"),
                ),
            )
        yield "step", step_function(graph.model, state)
        return
    lines = tf.TensorSpec([None], tf.string, "lines")
    translate = concrete(graph.translate, lines=lines)
    yield from (("serving_default", translate), ("translate", translate))
    yield (
        "translate_beam",
        concrete(
            graph.translate_beam,
            lines=lines,
            beam_size=tf.TensorSpec([], tf.int32, "beam_size"),
            length_penalty=tf.TensorSpec([], tf.float32, "length_penalty"),
        ),
    )
    ids = tf.TensorSpec([None, None], tf.int32, "source_ids")
    state = graph.model.start(tf.constant([[END]]), tf.zeros([1, 0], tf.int32))
    assert bundle.source_vocabulary is not None
    if transduces(bundle) and bundle.source_vocabulary.features_sep:
        tags = tf.TensorSpec([None, None], tf.int32, "tag_ids")
        yield "encode", concrete(graph.model.start, source_ids=ids, tag_ids=tags)
    else:
        no_tags = tf.zeros([0, 0], tf.int32)
        yield "encode", concrete(lambda source_ids: graph.model.start(source_ids, no_tags), source_ids=ids)
    yield "step", step_function(graph.model, state)


def step_function(model: GraphModel, state: Tensors) -> Function:
    """Returns the function of one step; its inputs and outputs are named tensors."""

    def step(token_ids: Any, **state: Any) -> Tensors:
        logits, after = model.step(token_ids, state)
        return {"logits": logits, **after}

    specs = {name: tf.TensorSpec(open_shape(name, tensor), tensor.dtype, name) for name, tensor in state.items()}
    return concrete(step, token_ids=tf.TensorSpec([None], tf.int32, "token_ids"), **specs)


def open_shape(name: str, tensor: Any) -> list[int | None]:
    """Returns the shape of a tensor of a state for any number of rows, and of source symbols."""
    return [None, None, *tensor.shape[2:]] if is_shared(name) else [None, *tensor.shape[1:]]


def concrete(function: Callable[..., Tensors], **inputs: Any) -> Function:
    """Returns a function of named tensors, traced once for all their sizes."""
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(**inputs)
