"""What every format's `export(bundle, folder, options)` is told beside the model and the folder."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a model is exported.

    Args:
        quantize: "int8": weights are stored as 8-bit integers; None: as float32.
        data: pairs, or a text, that the loss of quantization is measured on; None: the model's own validation part.
        report: receives the lines of results, such as what quantization loses.

    """

    quantize: str | None = None
    data: str | None = None
    report: Callable[[str], None] = print
