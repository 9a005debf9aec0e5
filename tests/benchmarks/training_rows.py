"""The training rows: each recipe on the same batches, in turn; they count if ours comes to no higher a loss."""

import importlib.util

from tests.benchmarks.measure import Figure, Row, Side, take_turns

TOLERANCE = 0.05  # nats per real target symbol
UNIT = "symbols/s"
TORCH_HINT = "fused PyTorch: left out, torch is not installed (`pip install torch==2.13.0`, a CPU build)"


def training_row(name, kinds, *, data, repeats, batches, attention, shortest=None, target=""):
    """Measures the recipes named in `kinds`, ours first, on `repeats` slices of `batches` batches of 64 pairs."""
    notes = []
    if "torch" in kinds and importlib.util.find_spec("torch") is None:
        kinds = [kind for kind in kinds if kind != "torch"]
        notes.append(TORCH_HINT)
    options = {"data": data, "shortest": shortest, "repeats": repeats, "batches": batches, "attention": attention}
    sides = {kind: Side(kind, options) for kind in kinds}
    try:
        speeds = take_turns({kind: lambda side=side: side.ask("go")["speed"] for kind, side in sides.items()}, repeats)
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
        "training, no attention, 10 000 short pairs",
        ["ours", "tutorial", "naive", "torch"],
        data=options.data,
        repeats=options.repeats,
        batches=options.batches,
        attention=False,
        shortest=10_000,
        target="3 x tutorial; aim: torch",
    )


def attention(options):
    """Training with attention, all pairs."""
    return training_row(
        "training with attention, all pairs",
        ["ours", "naive", "torch"],
        data=options.data,
        repeats=options.repeats,
        batches=options.batches,
        attention=True,
        target="1.5 x naive Keras; aim: 25 000 symbols/s",
    )
