"""Compiles a model anew from the settings in its file, and says what of them the file does not hold."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seq2seq.models.backend import keras

FUNCTION = "function"
OWN_LOSS = (
    "the loss {name!r} is a function of your own, and a model file does not hold it, so the loss and the metrics (D04, "
    "D09, D13) were not examined; pass the compiled model in Python: seq2seq.examine(train_model=model, arrays=...)"
)


class OwnError(Exception):
    """A loss or metric that Keras does not have; its argument is the name."""


class Compiled(NamedTuple):
    """How much of the settings was restored."""

    loss: bool
    lost: str  # what was not, in words; empty: nothing


def compile_from(model: Any, settings: Mapping[str, Any] | None, known: Any = None) -> Compiled:
    """Compiles a model; settings of a form that is not known are named as lost.

    Args:
        model: the model; it stays as it is where its loss is not Keras's.
        settings: `training_config` of an .h5 file or `compile_config` of a .keras one; None: it was not compiled.
        known: the loss itself, where the model is in memory; it is used if it is not Keras's.

    """
    if not settings or not settings.get("loss"):
        return Compiled(False, "")
    try:
        return restored(model, settings, known)
    except Exception as error:  # the settings are somebody else's, and Keras raises many kinds
        return Compiled(False, f"its compile settings could not be restored ({type(error).__name__}: {error})")


def restored(model: Any, settings: Mapping[str, Any], known: Any) -> Compiled:
    """Compiles a model as `compile_from` does."""
    try:
        loss = nested(settings["loss"], loss_of)
    except OwnError as error:
        if known is None:
            return Compiled(False, OWN_LOSS.format(name=error.args[0]))
        loss = keras.tree.map_structure(as_function, known)
    lost: list[str] = []

    def metric(saved: Any) -> Any:
        try:
            return metric_of(saved)
        except OwnError as error:
            lost.append(repr(error.args[0]))
            return None

    metrics = {}
    for name in ("metrics", "weighted_metrics"):
        found = nested(settings.get(name), metric)
        metrics[name] = without_none(found)
    optimizer = optimizer_of(settings.get("optimizer_config") or settings.get("optimizer"))
    model.compile(optimizer, loss=loss, loss_weights=settings.get("loss_weights"), **metrics)
    names = ", ".join(dict.fromkeys(lost))
    return Compiled(
        True, names and f"the metrics {names} are functions of your own, and a model file does not hold them"
    )


def as_function(loss: Any) -> Any:
    """Makes a loss object of another Keras a plain function; a name stays one."""
    if isinstance(loss, str):
        return loss

    def own_loss(true: Any, predicted: Any) -> Any:
        return loss(true, predicted)

    own_loss.__name__ = getattr(loss, "__name__", type(loss).__name__)
    return own_loss


def nested(settings: Any, make: Any) -> Any:
    """Turns each saved object of nested lists and dictionaries into what `make` returns."""
    if settings is None or isinstance(settings, str) or (isinstance(settings, Mapping) and "class_name" in settings):
        return None if settings is None else make(settings)
    if isinstance(settings, Mapping):
        return {name: nested(value, make) for name, value in settings.items()}
    return [nested(value, make) for value in settings]


def without_none(metrics: Any) -> Any:
    """Leaves out the metrics that could not be made, of lists of lists too."""
    if isinstance(metrics, dict):
        return {name: without_none(value) for name, value in metrics.items()}
    if not isinstance(metrics, list):
        return metrics
    kept = [without_none(metric) for metric in metrics if metric is not None]
    # one output: Keras 3 takes a flat list
    return kept[0] if len(kept) == 1 and isinstance(kept[0], list) else kept


def loss_of(saved: Any) -> Any:
    """Makes a loss.

    Raises:
        OwnError: it is not one of Keras's.

    """
    name, config = named(saved)
    if config is None or name == "LossFunctionWrapper":
        function = name if config is None else named(config["fn"])[0]
        return keras_object(keras.losses, function) and function
    return made(keras.losses, name, {**config, "reduction": reduction_of(config.get("reduction"))})


def metric_of(saved: Any) -> Any:
    """Makes a metric.

    Raises:
        OwnError: it is not one of Keras's.

    """
    name, config = named(saved)
    if config is None:
        if name not in ("accuracy", "acc", "crossentropy", "ce"):
            keras_object(keras.metrics, name)
        return name
    if name == "MeanMetricWrapper" and config.get("name") in ("accuracy", "acc"):
        return config["name"]  # Keras chooses the function by the targets' shape
    if name == "MeanMetricWrapper":
        function = keras_object(keras.metrics, named(config["fn"])[0])
        return keras.metrics.MeanMetricWrapper(function, name=config.get("name"))
    return made(keras.metrics, name, {key: value for key, value in config.items() if key != "reduction"})


def named(saved: Any) -> tuple[str, Mapping[str, Any] | None]:
    """Reads the name of a saved function or class, and the class's settings."""
    if isinstance(saved, str):
        return saved, None
    if saved["class_name"] == FUNCTION:
        return str(saved["config"]), None
    return str(saved.get("registered_name") or saved["class_name"]).rsplit(">", 1)[-1], saved["config"]


def reduction_of(saved: Any) -> Any:
    """Names a reduction; Keras 2 calls the usual one "auto" too."""
    return "sum_over_batch_size" if saved in (None, "auto") else saved


def keras_object(module: Any, name: str) -> Any:
    """Finds a function or class of Keras.

    Raises:
        OwnError: there is none of this name.

    """
    try:
        return module.get(name)
    except Exception as error:
        raise OwnError(name) from error


def made(module: Any, name: str, config: Mapping[str, Any]) -> Any:
    """Makes an object of one of Keras's classes.

    Raises:
        OwnError: there is no such class, or it takes other settings.

    """
    kind = getattr(module, name, None)
    if not isinstance(kind, type):
        raise OwnError(name)
    try:
        return kind(**{key: value for key, value in config.items() if key not in ("dtype", "fn")})
    except Exception as error:
        raise OwnError(name) from error


def optimizer_of(saved: Any) -> Any:
    """Makes the optimizer with its learning rate; what it has learnt of gradients is of no use to an examination."""
    name, config = named(saved) if saved else ("rmsprop", None)
    config = config or {}
    rate = config.get("learning_rate", config.get("lr"))
    decay = config.get("decay")
    if isinstance(rate, (int, float)) and decay:
        rate = keras.optimizers.schedules.InverseTimeDecay(float(rate), 1, float(decay))
    try:
        optimizer = keras.optimizers.get(name.lower())
        kind = type(optimizer)
        return kind(learning_rate=rate) if rate is not None and not isinstance(rate, Mapping) else optimizer
    except Exception:
        return "rmsprop"  # one of the user's own
