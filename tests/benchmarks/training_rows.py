"""The training rows: each recipe on the same batches, in turn; they count if ours comes to no higher a loss."""

import importlib.util

from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.text.datasets import load_pairs, resolve
from tests.benchmarks.measure import Figure, Row, Side, take_turns

TOLERANCE = 0.05  # nats per real target symbol
UNIT = "symbols/s"
TORCH_HINT = "fused PyTorch: left out, torch is not installed (`pip install torch==2.13.0`, a CPU build)"


def training_row(name, kinds, options, *, target, shortest=None, **settings):
    """Measures the recipes named in `kinds`, ours first, on `repeats` slices of `batches` batches."""
    notes = []
    if "torch" in kinds and importlib.util.find_spec("torch") is None:
        kinds = [kind for kind in kinds if kind != "torch"]
        notes.append(TORCH_HINT)
    data = {"data": options.data, "shortest": shortest, "repeats": options.repeats, "batches": options.batches}
    sides = {kind: Side(kind, {**data, **settings}) for kind in kinds}
    try:
        turns = {kind: lambda side=side: side.ask("go")["speed"] for kind, side in sides.items()}
        speeds = take_turns(turns, options.repeats)
        losses = {kind: side.ask("end")["loss"] for kind, side in sides.items()}
    finally:
        for side in sides.values():
            side.close()
    figures = {kind: Figure(tuple(values), UNIT, f"loss {losses[kind]:.3f}") for kind, values in speeds.items()}
    for kind, side in sides.items():
        shapes = f" for {side.ready['shapes']} shapes" if "shapes" in side.ready else ""
        notes.append(f"{kind}: {side.ready['warm_seconds']:.1f} s to build, trace and compile{shapes}, not timed above")
    counts = all(losses["ours"] <= loss + TOLERANCE for loss in losses.values())
    return Row(name, figures, target=target, counts=counts, notes=notes)


def short(options):
    """Training without attention, 10 000 short pairs."""
    return training_row(
        "training, no attention, 10 000 short pairs, batches of 64",
        ["ours", "tutorial", "naive", "torch"],
        options,
        target="3 x tutorial; aim: torch",
        shortest=10_000,
        attention=False,
        dropout=0.0,
        batch_size=64,
    )


def attention(options):
    """Training with attention, all pairs, with the batch size and dropout that are the defaults for so many.

    The other sides have no dropout: under XLA its random numbers would make naive Keras three times slower.
    """
    from seq2seq.training.prepared_pairs import resolved_options

    pairs = len(load_pairs(resolve(options.data), DataConfig(data=options.data)).train)
    model, train = resolved_options(ModelConfig(), TrainingConfig(), pairs=pairs)
    batch_size, dropout = train.batch_size, model.dropout
    return training_row(
        f"training with attention, all pairs, batches of {batch_size}, our side with dropout {dropout}",
        ["ours", "naive", "torch"],
        options,
        target="1.5 x naive Keras; aim: 25 000 symbols/s",
        attention=True,
        dropout=dropout,
        batch_size=batch_size,
    )
