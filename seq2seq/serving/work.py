"""What the processes that decode do; it needs nothing of the HTTP server, so that they start fast."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from seq2seq.api import LanguageModel, Translator, load
from seq2seq.bundle.exported import check_identity
from seq2seq.inference.language_model import Opening
from seq2seq.inference.results import Generated, Output
from seq2seq.search_config import DecodingConfig, GenerationConfig

ByName: TypeAlias = Mapping[str, Translator | LanguageModel]


def load_by_name(folders: Mapping[Path, str]) -> ByName:
    """Loads models; the name of each is its folder's.

    Args:
        folders: each with its `identity` when the service started.

    Raises:
        BundleError: a model is gone, or another one is there now.

    """
    models = {folder.resolve().name: load(folder) for folder in folders}
    for folder, expected in folders.items():
        check_identity(folder, expected)
    return models


def translate(
    models: ByName, items: Sequence[tuple[str, int]], config: DecodingConfig, *, name: str
) -> list[list[Output]]:
    """Decodes lines with their numbers, by the model with a name."""
    model = models[name]
    assert isinstance(model, Translator)
    return model.decode_chunk([line for line, _ in items], config, numbers=[number for _, number in items])


def write(
    models: ByName, tasks: Sequence[tuple[Opening, Sequence[str]]], config: GenerationConfig, *, name: str
) -> list[list[Generated]]:
    """Continues openings, each up to its stop strings, by the model with a name."""
    model = models[name]
    assert isinstance(model, LanguageModel)
    return model.write_together(tasks, config)
