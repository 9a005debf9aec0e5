"""Language models of random weights, made in milliseconds and without TensorFlow."""

import numpy as np

from seq2seq.bundle.folder import Bundle, save_bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.files.reading import sha256_of
from seq2seq.inference.canary import choose_text_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.text.prose import encode_text

SENTENCES = "The ferry left the quay at seven. Every morning Ada fed the gulls, and the gulls said nothing.\n"


def random_weights(model, size, seed=0, scale=0.8):
    random = np.random.default_rng(seed)
    hidden, gates = model.hidden_size, {"lstm": 4, "gru": 3}[model.rnn] * model.hidden_size
    shapes = {"target_embedding.embeddings": (size, model.embedding_size)}
    for index in range(model.layers):
        shapes[f"decoder_{index}.kernel"] = (hidden if index else model.embedding_size, gates)
        shapes[f"decoder_{index}.recurrent_kernel"] = (hidden, gates)
        shapes[f"decoder_{index}.bias"] = (gates,) if model.rnn == "lstm" else (2, gates)
    shapes["logits.kernel"], shapes["logits.bias"] = (hidden, size), (size,)
    return {name: random.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}


def make_model(folder, text=SENTENCES * 20, *, seed=0, scale=0.8, data=None, excerpt=None, **sizes):
    """Writes a text and a model folder beside it; returns the loaded model, whose excerpt is the text's if None."""
    file = folder.with_suffix(".txt")
    file.write_text(text, encoding="utf-8")
    folder.mkdir()
    config = DataConfig(data=str(file), **(data or {}))
    sizes = {"hidden_size": 8, "embedding_size": 6, "bidirectional": False, "attention": "none", **sizes}
    model = ModelConfig(**sizes)
    encoded = encode_text(file, config, folder)
    bundle = Bundle(
        path=folder,
        kind=LANGUAGE_MODEL,
        data=config,
        model=model,
        source_vocabulary=None,
        target_vocabulary=encoded.vocabulary,
        weights=random_weights(model, len(encoded.vocabulary), seed, scale),
        record={
            "trained_on": {
                "name": file.stem,
                "origin": "path",
                "paths": {"all": str(file)},
                "sha256": {"all": sha256_of(file)},
                "licence": None,
                "characters": {"train": encoded.train_characters, "validation": encoded.validation_characters},
            },
        },
        excerpt=encoded.excerpt if excerpt is None else excerpt,
    )
    canary = choose_text_canary(LanguageModel(bundle))
    save_bundle(bundle, metrics={}, history=[{"epoch": 1, "loss": 1.0}], canary=canary)
    return LanguageModel(bundle)
