"""The moving average of the weights: what it is, what a run does with it, and that it survives an interruption."""

import numpy as np
import pytest

from seq2seq.files.reading import read_arrays
from seq2seq.models import averaging
from seq2seq.models.averaging import WeightAverage
from seq2seq.models.weights import export_weights
from seq2seq.training.checkpoints import current_checkpoint
from tests.test_training import Bigram, CarryingBigram, CountingTask, assert_same, run


class WatchedTask(CountingTask):
    """Remembers the weights that each validation finds."""

    def __init__(self, **options):
        super().__init__(**options)
        self.validated = []

    def validate(self):
        self.validated.append(export_weights(self.model.models))
        return super().validate()


def kernel(model):
    return export_weights(model.models)["logits.kernel"]


def test_an_average_keeps_its_share_at_each_step_and_starts_with_less():
    model = Bigram()
    average = WeightAverage(model.models, 0.5)
    expected = first = kernel(model)
    for step in range(1, 4):
        model.models[0].get_layer("logits").kernel.assign(first + step)
        average.update(step)
        keep = {1: 2 / 11, 2: 3 / 12, 3: 4 / 13}[step]
        expected = keep * expected + (1 - keep) * (first + step)
    average.update(8)
    expected = 0.5 * expected + 0.5 * (first + 3)  # (1 + 8) / (10 + 8)
    average.update(9)  # is not due
    average.update(16)
    expected = 0.5**8 * expected + (1 - 0.5**8) * (first + 3)  # stands for eight steps
    with average.in_models():
        np.testing.assert_allclose(kernel(model), expected, atol=1e-6)
    np.testing.assert_array_equal(kernel(model), first + 3)


def test_the_average_is_scored_and_saved_and_training_goes_on_without_it(tmp_path, monkeypatch):
    monkeypatch.setattr(averaging, "EVERY", 1)
    raw, task = WatchedTask(), WatchedTask()
    _, _, _ = run(tmp_path / "raw", raw, optimizer="sgd")
    progress, weights, _ = run(tmp_path / "average", task, optimizer="sgd", average=0.9)
    checkpoint = current_checkpoint(tmp_path / "average")
    saved, state = read_arrays(checkpoint / "weights.safetensors"), read_arrays(checkpoint / "state.safetensors")
    trained = {name.removeprefix("trained."): array for name, array in state.items() if name.startswith("trained.")}
    assert_same(raw.validated[-1], trained)
    assert_same(saved, task.validated[-1])
    assert not np.array_equal(saved["logits.kernel"], trained["logits.kernel"])
    assert progress.best_epoch == 1
    assert_same(task.validated[0], weights)


@pytest.mark.parametrize("moment", [(1, 4), (3, 0)])
def test_a_run_with_an_average_ends_as_one_that_was_never_interrupted(tmp_path, monkeypatch, moment):
    monkeypatch.setattr("seq2seq.training.fit.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("seq2seq.training.fit.CHECK_EVERY", 1)

    def task(**options):
        made = WatchedTask(losses=[3.0, 2.0, 1.0], **options)
        made.model = CarryingBigram()
        return made

    whole = task()
    _, weights, _ = run(tmp_path / "1", whole, average=0.9)
    interrupted, resumed = task(interrupt_in=moment), task()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", interrupted, average=0.9)
    resumed.losses = interrupted.losses
    _, others, lines = run(tmp_path / "2", resumed, average=0.9)
    assert lines[0].startswith("continues after epoch")
    assert_same(weights, others)
    for one, two in zip(whole.validated, interrupted.validated + resumed.validated, strict=True):
        assert_same(one, two)
    for name in ("weights", "state"):
        one, two = (read_arrays(current_checkpoint(tmp_path / run) / f"{name}.safetensors") for run in "12")
        assert_same(one, two)
