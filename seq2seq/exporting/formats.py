"""The formats: the module that writes each, which is imported when it is used, and the libraries that it needs."""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2seq.bundle.folder import check_weights, load_bundle
from seq2seq.errors import OptionError
from seq2seq.exporting.options import ExportOptions
from seq2seq.extras import installing
from seq2seq.files.folders import new_folder


@dataclass(frozen=True)
class Format:
    """One form of an exported model.

    Args:
        module: of this room; has `export(bundle: Bundle, folder: Path, options: ExportOptions) -> None`, which writes
            into an empty folder.
        libraries: that it imports and a plain installation lacks.
        extra: of this package, which brings them.
        quantizes: what --quantize may be.

    """

    module: str
    libraries: tuple[str, ...] = ()
    extra: str = ""
    quantizes: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    "onnx": Format("onnx_files", ("onnx", "onnxruntime"), "onnx", ("int8",)),
    "keras": Format("keras_files"),
    "savedmodel": Format("saved_model"),
    "litert": Format("litert_files"),
    "web": Format("web_files"),
}


def check_options(name: str, options: ExportOptions) -> None:
    """Refuses options that a format cannot keep, and a format whose libraries are absent.

    Raises:
        OptionError: one of these.

    """
    form = FORMATS[name]
    if options.quantize and options.quantize not in form.quantizes:
        able = ", ".join(other for other, each in FORMATS.items() if options.quantize in each.quantizes)
        raise OptionError(
            f"--quantize {options.quantize}: --format {name} has no such form; leave it out, or use {able}"
        )
    if options.data and not options.quantize:
        raise OptionError("--data: is what the loss of --quantize is measured on; give --quantize int8 too")
    absent = [library for library in form.libraries if importlib.util.find_spec(library) is None]
    if absent:
        needed = " and ".join(absent)
        raise OptionError(f"--format {name}: needs {needed}, the extra `{form.extra}`: {installing(form.extra)}")


def export_model(model: Path, name: str, output: Path, options: ExportOptions) -> None:
    """Writes a model in a format, complete or not at all.

    Args:
        model: a finished model folder.
        name: of the format.
        output: the new folder; it does not exist, or is empty.
        options: how.

    Raises:
        OptionError: see `check_options`.
        BundleError: the model cannot be loaded, or `output` holds something.

    """
    check_options(name, options)
    bundle = load_bundle(model)
    check_weights(bundle)
    with new_folder(output, "the export", "give another --output") as folder:
        importlib.import_module(f"seq2seq.exporting.{FORMATS[name].module}").export(bundle, folder, options)
