"""Opens models of Keras 2, from files and of tf_keras: configuration and weights in, the same model in Keras 3 out."""

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.errors import DataError
from seq2seq.foreign.compiling import Compiled, compile_from
from seq2seq.foreign.keras2_graph import make_model
from seq2seq.foreign.keras2_layers import Origin, safe_name
from seq2seq.foreign.keras2_weights import Store, fill_by_layer, fill_by_path
from seq2seq.models.backend import keras

MOST_CHARACTERS = 64 * 2**20  # of a configuration
MOST_BYTES = 8 * 2**30  # of weights in a zip file
RESAVE = (
    "where Keras 2.2 to 2.15 or tf_keras is installed (pip install tf_keras), load it and save it once more: "
    "tf_keras.models.load_model({name!r}, compile=False).save('model.h5')"
)


class ModelFile(NamedTuple):
    """What a model file holds besides the weights."""

    config: Mapping[str, Any]  # class and configuration
    settings: Mapping[str, Any] | None  # of compile
    version: str  # of Keras; empty: not told

    @property
    def is_keras_2(self) -> bool:
        """Whether Keras 3 cannot be trusted to read it as it was."""
        if self.version:
            return int(self.version.partition(".")[0]) < 3 if self.version[0].isdigit() else False
        return "batch_input_shape" in json.dumps(self.config)


def read_saved(path: Path) -> ModelFile | None:
    """Reads a model file's description without running anything; None: it has weights alone.

    Raises:
        DataError: it is not a model file.

    """
    import h5py

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                config = parsed(member(archive, "config.json", MOST_CHARACTERS), path)
                metadata = (
                    parsed(member(archive, "metadata.json", MOST_CHARACTERS), path) if "metadata.json" in names else {}
                )
            return ModelFile(config, config.get("compile_config"), str(metadata.get("keras_version", "")))
        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                return None
            settings = file.attrs.get("training_config")
            version = text(file.attrs.get("keras_version", ""))
            return ModelFile(
                parsed(file.attrs["model_config"], path),
                None if settings is None else parsed(settings, path),
                version,
            )
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a Keras model (.keras or .h5), got something else: {error}") from error


def member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Reads a file of a zip file, of a size that is checked first."""
    if (size := archive.getinfo(name).file_size) > most:
        raise DataError(f"{archive.filename}: expected at most {most} bytes of {name}, got {size}")
    with archive.open(name) as file:
        return file.read(most)


def text(value: Any) -> str:
    """Decodes an attribute."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8")


def parsed(value: Any, path: Path) -> Any:
    """Reads JSON of a model file, an object.

    Raises:
        DataError: it is none.

    """
    try:
        found = json.loads(text(value))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected the configuration of a Keras model in JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected the configuration of a Keras model, an object, got {type(found).__name__}")
    return found


def load_keras_2(path: Path, saved: ModelFile, *, allow_lambda: bool) -> tuple[Any, Compiled]:
    """Rebuilds a model of Keras 2 in Keras 3.

    Args:
        path: the file.
        saved: its description.
        allow_lambda: whether it may hold Lambda layers, whose code runs.

    Returns:
        The model, and what could be restored of the compile settings.

    Raises:
        DataError: it was written by Keras 1, a layer cannot be rebuilt, or the weights are not the configuration's.

    """
    import h5py

    if saved.version.startswith(("0.", "1.")):
        raise DataError(f"{path}: was written by Keras {saved.version}, whose files differ; {resave(path)}")
    zipped = zipfile.is_zipfile(path)
    try:
        with contextlib.ExitStack() as opened:
            content: Any = path
            if zipped:
                archive = opened.enter_context(zipfile.ZipFile(path))
                content = io.BytesIO(member(archive, "model.weights.h5", MOST_BYTES))
            store = Store(opened.enter_context(h5py.File(content, "r")), str(path))
            origin = Origin(str(path), saved.version, store.numbers, allow_lambda)
            model = rebuilt(saved.config, origin)
            if zipped:
                fill_by_path(model, store, "", origin)
            else:
                fill_by_layer(model, store.by_layer(), origin)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected the weights of a model, which cannot be read: {error}") from error
    return model, compile_from(model, saved.settings)


def resave(path: Path) -> str:
    """Says how a file is converted."""
    return RESAVE.format(name=path.name)


def rebuilt(config: Mapping[str, Any], origin: Origin) -> Any:
    """Makes a model without its weights; a configuration that is not of the form is refused."""
    try:
        return make_model(config, origin)
    except DataError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise DataError(
            f"{origin.name}: expected the configuration of a model as {origin.keras} writes it, got another form "
            f"({type(error).__name__}: {error})"
        ) from error


def is_tf_keras(model: Any) -> bool:
    """Returns whether an object is a model of tf_keras, the package that keeps Keras 2."""
    modules = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    return "tf_keras" in modules and hasattr(model, "get_config") and not isinstance(model, keras.Model)


def from_tf_keras(model: Any, *, allow_lambda: bool = False) -> tuple[Any, Compiled]:
    """Rebuilds a model of tf_keras in Keras 3.

    Args:
        model: the model.
        allow_lambda: whether it may hold Lambda layers.

    Returns:
        The model, and what could be restored of the compile settings.

    Raises:
        DataError: it is subclassed, or a layer cannot be rebuilt.

    """
    name = f"the tf_keras model {model.name!r}"
    try:
        config = json.loads(model.to_json())
    except Exception as error:
        raise DataError(
            f"{name}: has no configuration that could be rebuilt in Keras 3 ({type(error).__name__}); build the same "
            "layers with keras.Model(inputs, outputs) of Keras 3 and copy the weights with set_weights(get_weights())"
        ) from error
    weights = {
        safe_name(layer.name): [weight.numpy() for weight in layer.trainable_weights + layer.non_trainable_weights]
        for layer in model.layers
    }
    numbers = sum(array.size for arrays in weights.values() for array in arrays)
    origin = Origin(name, str(config.get("keras_version", "")), numbers, allow_lambda)
    copy = rebuilt(config, origin)
    fill_by_layer(copy, weights, origin)
    return copy, compile_from(copy, model.get_compile_config(), getattr(model, "loss", None))
