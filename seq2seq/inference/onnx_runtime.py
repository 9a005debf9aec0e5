"""Runs a model with onnxruntime: its graphs, made from the weights or read from an export."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.decoding import State
from seq2seq.errors import BundleError, OptionError
from seq2seq.extras import installing
from seq2seq.graphs.names import ATTENTION, ENCODER, LOGITS, NEXT, SOURCE_IDS, SOURCE_MASK, STEP, TAG_IDS, TOKEN_IDS
from seq2seq.special import PAD


def graphs_in(bundle: Bundle) -> Mapping[str, bytes]:
    """Returns the graphs of an export, or makes those of a model folder.

    Raises:
        OptionError: they must be made, and onnx is not installed.

    """
    if bundle.graphs:
        return bundle.graphs
    try:
        from seq2seq.graphs.models import graphs_of
    except ImportError as error:
        raise absent("onnx") from error
    return {name: graph.finished() for name, graph in graphs_of(bundle).items()}


def absent(library: str) -> OptionError:
    """Returns the error for a library that is not installed."""
    return OptionError(
        f"--runtime onnx: needs {library}, the extra `onnx`: {installing('onnx')}; or use --runtime numpy"
    )


def open_session(graphs: Mapping[str, bytes], name: str) -> Any:
    """Opens a graph on one core: batches share the cores, and one row is too little work for several.

    Args:
        graphs: the bytes of each graph, by name.
        name: of the graph.

    Raises:
        OptionError: onnxruntime is not installed.
        BundleError: it refuses the graph.

    """
    try:
        import onnxruntime
    except ImportError as error:
        raise absent("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    try:
        return onnxruntime.InferenceSession(graphs[name], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes differ from version to version
        reason = " ".join(str(error).split())
        raise BundleError(f"{name}: onnxruntime cannot open this graph: {reason}; export the model again") from error


class OnnxModel:
    """A step function that runs the graph `step`; what it reads and gives is found by name.

    The rows of a state are the inputs that an output `next_NAME` replaces, in the graph's order; what is shared by the
    hypotheses of a source are its other inputs.

    Args:
        graphs: the bytes of each graph, by name.

    """

    def __init__(self, graphs: Mapping[str, bytes]) -> None:
        self.session = open_session(graphs, STEP)
        self.outputs = [port.name for port in self.session.get_outputs()]
        inputs = {port.name: port for port in self.session.get_inputs() if port.name != TOKEN_IDS}
        self.rows = [name for name in inputs if NEXT + name in self.outputs]
        self.shared = [name for name in inputs if name not in self.rows]
        self.widths = {name: port.shape[-1] for name, port in inputs.items()}

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one id, int32 (N,), to each hypothesis; returns logits float32 (N, V) and the next state."""
        logits, after, _ = self.attend(token_ids, state)
        return logits, after

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Feeds one id, int32 (N,); returns logits float32 (N, V), the state and weights float32 (N, S) or None."""
        feed = dict(zip([*self.rows, *self.shared], [*state.rows, *state.shared], strict=True))
        feed[TOKEN_IDS] = token_ids.astype(np.int64)
        found = dict(zip(self.outputs, self.session.run(None, feed), strict=True))
        after = State([found[NEXT + name] for name in self.rows], state.shared)
        return found[LOGITS], after, found.get(ATTENTION)


class OnnxEncoderDecoder(OnnxModel):
    """A step function with the graph `encoder`, which makes its first state."""

    def __init__(self, graphs: Mapping[str, bytes]) -> None:
        super().__init__(graphs)
        self.encoder = open_session(graphs, ENCODER)
        self.made = [port.name for port in self.encoder.get_outputs()]
        self.reads_tags = TAG_IDS in {port.name for port in self.encoder.get_inputs()}

    def encode(self, feed: dict[str, np.ndarray]) -> State:
        """Runs the encoder on its inputs, by name."""
        made = {**feed, **dict(zip(self.made, self.encoder.run(None, feed), strict=True))}
        return State([made[name] for name in self.rows], tuple(made[name] for name in self.shared))


class OnnxTranslator(OnnxEncoderDecoder):
    """A translator's step function."""

    def __init__(self, graphs: Mapping[str, bytes]) -> None:
        super().__init__(graphs)
        # memory that a step reads for each symbol of a source: keys and values
        widths = (self.widths[name] for name in self.shared if name != SOURCE_MASK)
        self.symbol_bytes = sum(widths) * np.dtype(np.float32).itemsize

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources: int32 (B, S), the symbols of each source and END, right-padded."""
        return self.encode({SOURCE_IDS: source_ids.astype(np.int64), SOURCE_MASK: source_ids != PAD})


class OnnxTransducer(OnnxEncoderDecoder):
    """A transducer's step function."""

    symbol_bytes = 0  # a step reads one symbol of each source

    def start(self, source_ids: np.ndarray, tag_ids: np.ndarray) -> State:
        """Encodes sources.

        Args:
            source_ids: int32 (B, S), the symbols of each source and END, right-padded.
            tag_ids: int32 (B, F), the tags of each source, right-padded; for a model with tags.

        """
        feed = {SOURCE_IDS: source_ids.astype(np.int64), SOURCE_MASK: source_ids != PAD}
        if self.reads_tags:
            one_more = np.full((len(tag_ids), 1), PAD, np.int64)  # the graph expects at least one
            feed[TAG_IDS] = np.concatenate([tag_ids.astype(np.int64), one_more], 1)
        return self.encode(feed)


class OnnxLanguageModel(OnnxModel):
    """The step function of a language model."""

    symbol_bytes = 0

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""
        return State([np.zeros((rows, self.widths[name]), np.float32) for name in self.rows], ())
