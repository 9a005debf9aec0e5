"""Makes the Keras 3 layer that computes what a layer saved by Keras 2 computes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seq2seq.errors import DataError
from seq2seq.models.backend import keras
from seq2seq.models.recurrent import hard_sigmoid_of_keras_2

Saved = Mapping[str, Any]  # a saved object: `class_name` and `config`

# only layers that run no code of the file's; what they are called in Keras 3 stands behind `RENAMED`
KNOWN = frozenset(
    "Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D "
    "BatchNormalization Bidirectional Concatenate Conv1D Cropping1D Dense DepthwiseConv1D Dot Dropout ELU Embedding "
    "Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalMaxPooling1D LSTM LSTMCell "
    "Lambda LayerNormalization LeakyReLU Masking MaxPooling1D Maximum Minimum MultiHeadAttention Multiply PReLU "
    "Permute RNN ReLU RepeatVector Reshape SeparableConv1D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D "
    "StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D ZeroPadding1D".split()
)
RENAMED = {
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "UnifiedLSTM": "LSTM",
    "UnifiedGRU": "GRU",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
# settings that Keras 3 lacks, each with the values that change nothing; None: any value
GONE: dict[str, tuple[Any, ...] | None] = {
    "time_major": (False, None),
    "ragged": (False, None),
    "renorm": (False, None),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "num_constants": (None, 0),
    "softmax_robust_masking": (False, None),
    **dict.fromkeys(
        "batch_input_shape input_length implementation fused unroll causal optional query_shape key_shape "
        "value_shape".split()
    ),
}
MOST_NUMBERED = 10_000  # layers of a name
SIZES = ("units", "filters", "input_dim", "output_dim", "key_dim", "num_heads")
ACTIVATIONS = ("activation", "recurrent_activation")
ANSWERED = "define the layer for Keras 3, build the same model there, copy the weights and save it as .keras"


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, and what may be done with it."""

    name: str  # of the file
    version: str  # of Keras
    numbers: int  # how many numbers its weights hold
    allow_lambda: bool = False
    order: dict[int, list[tuple[str, Any]]] = field(default_factory=dict)  # of a model: saved class and layer

    @property
    def keras(self) -> str:
        """The version in words."""
        return f"Keras {self.version}" if self.version else "Keras 2"

    def refusal(self, saved: Saved, why: str) -> DataError:
        """Makes the error that names a layer."""
        name = saved["config"].get("name") if isinstance(saved.get("config"), Mapping) else None
        return DataError(f"{self.name}: layer {name!r} ({saved.get('class_name')}), written by {self.keras}: {why}")


def make_layer(saved: Saved, origin: Origin) -> Any:
    """Makes a layer, without its weights.

    Args:
        saved: its class and settings; what a wrapper or a stack holds is made already.
        origin: the file.

    Raises:
        DataError: it has a class or a setting that Keras 3 does not have.

    """
    kind = RENAMED.get(saved["class_name"], saved["class_name"])
    if kind not in KNOWN:
        raise origin.refusal(saved, f"its class is not one of Keras's layers that can be rebuilt; {ANSWERED}")
    settings = dict(saved["config"])
    for setting, harmless in GONE.items():
        value = settings.pop(setting, None)
        if harmless is not None and value not in harmless:
            raise origin.refusal(saved, f"Keras 3 has no {setting}={value!r}; train again without it")
    adapt(kind, settings, saved, origin)
    try:
        if kind == "Lambda":
            return keras.layers.Lambda.from_config(settings, safe_mode=not origin.allow_lambda)
        return getattr(keras.layers, kind)(**settings)
    except Exception as error:  # Keras raises many kinds
        raise origin.refusal(saved, f"Keras 3 cannot make it from its settings ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """Returns the first line of an error, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]


def adapt(kind: str, settings: dict[str, Any], saved: Saved, origin: Origin) -> None:
    """Changes settings of Keras 2 into those of Keras 3, in place."""
    for setting in list(settings):
        if setting.endswith(("_initializer", "_constraint")):
            del settings[setting]  # the weights are there
        elif setting.endswith("_regularizer"):
            settings[setting] = regularizer_of(settings[setting])
    for setting in ACTIVATIONS:
        if setting in settings:
            settings[setting] = activation_of(settings[setting], lambda why: origin.refusal(saved, why), origin)
    if isinstance(settings.get("name"), str):
        settings["name"] = safe_name(settings["name"])
        reserve(settings["name"])
    if "dtype" in settings and (dtype := dtype_of(settings.pop("dtype"))).startswith(("float", "mixed", "bfloat")):
        settings["dtype"] = dtype
    if kind == "GRU":
        # the setting came with the other form; before it there was only this one
        settings.setdefault("reset_after", saved["class_name"] == "CuDNNGRU")
    elif kind == "BatchNormalization" and isinstance(settings.get("axis"), list):
        (settings["axis"],) = settings["axis"]
    elif kind == "LeakyReLU" and "alpha" in settings:
        settings["negative_slope"] = float(settings.pop("alpha"))
    elif kind == "SpatialDropout1D":
        settings.pop("noise_shape", None)
    elif kind == "Lambda":
        adapt_lambda(settings, saved, origin)


def safe_name(name: str) -> str:
    """Returns a layer's name without the slashes that Keras 3 refuses."""
    return name.replace("/", "_")


def reserve(name: str) -> None:
    """Keeps Keras from giving a layer's name to an operation that computes a mask."""
    prefix, _, number = name.rpartition("_")
    if not number.isdigit():
        prefix, number = name, "0"
    least = min(int(number), MOST_NUMBERED)
    while keras.backend.get_uid(prefix) <= least:
        pass


def dtype_of(saved: Any) -> str:
    """Names a data type or a policy of data types."""
    if isinstance(saved, Mapping):
        saved = saved.get("config", {}).get("name")
    return saved if isinstance(saved, str) else "float32"


def regularizer_of(saved: Any) -> Any:
    """Makes a regularizer of Keras; one of the user's own acts in training alone and is left out."""
    if not isinstance(saved, Mapping) or saved.get("class_name") not in ("L1", "L2", "L1L2"):
        return None
    factors = {name: float(value) for name, value in saved["config"].items() if name in ("l1", "l2")}
    return keras.regularizers.L1L2(**factors)


def activation_of(saved: Any, refusal: Callable[[str], DataError], origin: Origin) -> Any:
    """Finds the function, or makes the layer, that a setting names."""
    if isinstance(saved, Mapping):
        if saved["class_name"] != "function":
            return make_layer(saved, origin)
        saved = saved["config"]
    if saved is None:
        return None
    name = {"softmax_v2": "softmax"}.get(saved, saved)
    if name == "hard_sigmoid":
        return hard_sigmoid_of_keras_2
    function = getattr(keras.activations, name, None) if isinstance(name, str) else None
    if not callable(function) or name in ("get", "serialize", "deserialize"):
        raise refusal(
            f"its activation {saved!r} is a function of the user's own, and a file does not hold it; build the same "
            "model in Keras 3 with the function, copy the weights and save it as .keras"
        )
    return function


def adapt_lambda(settings: dict[str, Any], saved: Saved, origin: Origin) -> None:
    """Turns the settings of a Lambda into Keras 3's.

    Raises:
        DataError: its code must not run, or is not in the file.

    """
    if not origin.allow_lambda:
        raise origin.refusal(
            saved, "its code would run on loading; if you trust the file, allow it with --allow-lambda"
        )
    for setting in ("function_type", "module", "output_shape_type", "output_shape_module", "mask_type"):
        settings.pop(setting, None)
    function = settings["function"]
    if isinstance(function, str):
        raise origin.refusal(saved, f"its function {function!r} is the user's own, and a file does not hold it")
    if isinstance(function, list):
        code, defaults, closure = function
        config = {"code": code, "defaults": defaults, "closure": closure}
        settings["function"] = {"class_name": "__lambda__", "config": config}
    if settings.get("output_shape") is not None:
        settings["output_shape"] = tuple(settings["output_shape"])


def check_size(saved: Saved, inputs: Any, origin: Origin) -> None:
    """Refuses a layer that would take far more memory than the file's weights.

    Raises:
        DataError: its weights would hold more numbers than the file does.

    """
    settings = saved["config"]
    for inner in ("layer", "cell"):
        if isinstance(settings.get(inner), Mapping):
            return check_size({**settings[inner], "class_name": saved["class_name"]}, inputs, origin)
    sizes = {name: size for name in SIZES if isinstance(size := settings.get(name), int)}
    tensors = keras.tree.flatten(inputs)
    products = [math.prod(sizes.values())] if sizes else [0]
    if (units := sizes.get("units")) is not None:
        products.append(units * (tensors[0].shape[-1] or 1))
        products.append(units * units if "recurrent_activation" in settings else 1)
    if max(products) > origin.numbers:
        raise origin.refusal(saved, f"its sizes {sizes} are too large for the file's weights, {origin.numbers} numbers")
