"""Builds the runtime of a loaded model of any kind, and what writes a translator's targets with it."""

from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.errors import OptionError
from seq2seq.inference.action_writer import ActionWriter
from seq2seq.inference.ensemble import EnsembleLanguageModel, EnsembleTransducer, EnsembleTranslator
from seq2seq.inference.protocols import ActionRuntime, AttendingRuntime
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime
from seq2seq.inference.writers import SymbolWriter, Writer
from seq2seq.text.source_layout import SourceForm

RUNTIMES = ("auto", "numpy", "keras", "onnx")


def check_runtime(runtime: str) -> None:
    """Raises OptionError for an unknown runtime."""
    if runtime not in RUNTIMES:
        raise OptionError(f"--runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}")


def chosen(bundle: Bundle, runtime: str) -> str:
    """Returns the runtime that a model is run with; NumPy's where the user leaves it open.

    Raises:
        OptionError: the runtime is unknown, or needs the weights, which an export does not have.

    """
    check_runtime(runtime)
    if bundle.graphs and runtime not in ("auto", "onnx"):
        raise OptionError(
            f"--runtime {runtime}: {bundle.path} is an export, which has graphs in place of weights; use --runtime "
            "onnx, or name the model folder it was made of"
        )
    return "onnx" if bundle.graphs else "numpy" if runtime == "auto" else runtime


def make_runtime(bundle: Bundle, runtime: str) -> AttendingRuntime:
    """Builds the runtime of a translator that writes symbols; raises OptionError for an unknown runtime."""
    runtime = chosen(bundle, runtime)
    if bundle.members:
        return EnsembleTranslator([make_runtime(member, runtime) for member in bundle.members])
    if runtime == "keras":
        from seq2seq.inference.keras_runtime import KerasTranslator

        return KerasTranslator.from_weights(bundle.model, bundle.weights, **sizes(bundle), where=str(bundle.path))
    if runtime == "onnx":
        from seq2seq.inference.onnx_runtime import OnnxTranslator, graphs_in

        return OnnxTranslator(graphs_in(bundle))
    from seq2seq.inference.numpy_runtime import NumpyTranslator

    return NumpyTranslator(bundle.model, bundle.weights)


def make_action_runtime(bundle: Bundle, runtime: str) -> ActionRuntime:
    """Builds the runtime of a transducer; raises OptionError for an unknown runtime."""
    runtime = chosen(bundle, runtime)
    if bundle.members:
        return EnsembleTransducer([make_action_runtime(member, runtime) for member in bundle.members])
    if runtime == "keras":
        from seq2seq.inference.keras_transducer import KerasTransducer

        return KerasTransducer.from_weights(bundle.model, bundle.weights, **sizes(bundle), where=str(bundle.path))
    if runtime == "onnx":
        from seq2seq.inference.onnx_runtime import OnnxTransducer, graphs_in

        return OnnxTransducer(graphs_in(bundle))
    from seq2seq.inference.numpy_transducer import NumpyTransducer

    return NumpyTransducer(bundle.model, bundle.weights)


def sizes(bundle: Bundle) -> dict[str, int]:
    """Returns the sizes of a translator's vocabularies."""
    assert bundle.source_vocabulary is not None
    return {"source_size": len(bundle.source_vocabulary), "target_size": len(bundle.target_vocabulary)}


def make_writer(bundle: Bundle, runtime: str, step_model: Any = None) -> Writer:
    """Returns what writes a translator's targets.

    Args:
        bundle: the model.
        runtime: one of RUNTIMES.
        step_model: an AttendingRuntime or ActionRuntime to use; None: one is built from the weights.

    Raises:
        OptionError: the runtime is unknown.

    """
    if bundle.edits:
        return ActionWriter(step_model or make_action_runtime(bundle, runtime), bundle.target_vocabulary, bundle.edits)
    form = SourceForm.from_record(bundle.record)
    return SymbolWriter(step_model or make_runtime(bundle, runtime), form, bundle.target_vocabulary)


def make_text_runtime(bundle: Bundle, runtime: str) -> TextRuntime:
    """Builds the runtime of a language model; raises OptionError for an unknown runtime."""
    runtime = chosen(bundle, runtime)
    if bundle.members:
        return EnsembleLanguageModel([make_text_runtime(member, runtime) for member in bundle.members])
    model: TextRuntime
    if runtime == "keras":
        from seq2seq.inference.keras_runtime import KerasLanguageModel

        size = len(bundle.target_vocabulary)
        model = KerasLanguageModel.from_weights(
            bundle.model, bundle.weights, vocabulary_size=size, where=str(bundle.path)
        )
    elif runtime == "onnx":
        from seq2seq.inference.onnx_runtime import OnnxLanguageModel, graphs_in

        model = OnnxLanguageModel(graphs_in(bundle))
    else:
        from seq2seq.inference.numpy_language import NumpyLanguageModel

        model = NumpyLanguageModel(bundle.model, bundle.weights)
    window = int(bundle.record.get("restarts", 0))
    return RestartingLanguageModel(model, window) if window else model
