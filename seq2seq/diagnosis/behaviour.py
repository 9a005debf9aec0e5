"""D05, D06 and D14: whether a model uses its source, and how it behaves when it runs free."""

import numpy as np

from seq2seq.diagnosis.causes import LOOKS_AHEAD
from seq2seq.diagnosis.report import BROKEN, HARMFUL, Examined, Finding, NotExamined, Result, Settled, finding
from seq2seq.diagnosis.running import Run, run_language_model, run_translator, run_windows
from seq2seq.diagnosis.sample import FREE_ROWS, Sample
from seq2seq.diagnosis.shifts import agreement
from seq2seq.foreign.layout import Data
from seq2seq.scoring.degeneration import LOOPS, loop_period, loop_share, positional_accuracy

NONE_AT_ALL = 1e-6  # largest change of a probability that rounding explains
LITTLE = 0.03  # negligible relative change of the loss
LITTLE_NATS = 0.02  # negligible change of the loss, nats per symbol, of a model with a low loss
SURE = 0.9  # teacher-forced accuracy of a model that is nearly always right
FEW_CHANGES = 0.08  # share of predictions that a source of little use can change, such as where rows end
STEPS = 40
GAP = 0.4  # between teacher-forced and free-running accuracy that a good model should not have
GOOD = 0.85
CAUSAL = 1e-4  # largest change of a probability in a model that reads earlier steps only
LOOK_BACK = "keras.layers.LSTM(units, return_sequences=True)  # not Bidirectional; attention: use_causal_mask=True"


def check_running(sample: Sample) -> list[Result]:
    """Checks D05, D06 and D14 on the same outputs."""
    started = free_run(sample)
    if started is None:
        return [*check_source_use(sample, None), *check_peeking(sample)]
    run, given = started
    return [
        Examined("running free", len(run.outputs)),
        *check_source_use(sample, run if given else None),
        *check_free_run(sample, run, given),
        *check_loops(sample, run),
    ]


def check_learnt(sample: Sample) -> list[Result]:
    """Notes that a model has learnt too little for D05, D06 and D14."""
    if sample.learnt:
        return []
    return [
        NotExamined(
            "use of the source and running free (D05, D06, D14): the model is no better than the commonest symbol "
            f"(accuracy {sample.accuracy:.0%}, the commonest {sample.majority:.0%}); train it first"
        )
    ]


def check_direction(sample: Sample) -> list[Result]:
    """D01: targets equal to the inputs are right for a model with one input that also reads later steps."""
    reads_all = sample.data.source is None and sample.future_effect > CAUSAL
    return [Settled("D01")] if reads_all else []


def check_source_use(sample: Sample, run: Run | None) -> list[Finding]:
    """D05: exchanges the sources of rows and measures what changes."""
    if sample.data.source is None or sample.data.inputs is None or len(sample.rows) < 4:
        return []
    source = sample.source()
    exchanged = np.roll(source, 1, 0)
    different = (exchanged != source).reshape(len(source), -1).any(1)
    if different.sum() < 2:
        return []
    if sample.teacher is not None:
        scores = sample.teacher(exchanged, sample.inputs())
    else:
        assert sample.stepper is not None
        scores = sample.stepper.forced(exchanged, sample.inputs())
    real = sample.real & different[:, None]
    change = float(np.abs(scores - sample.forced)[real].max(initial=0.0))
    before, after = sample.nats(sample.forced), sample.nats(scores)
    changed = float((scores.argmax(-1) != sample.forced.argmax(-1))[real].mean())
    evidence = {
        "loss, nats per symbol": before,
        "with the sources of other rows": after,
        "predictions that changed": changed,
        "largest change of a probability": change,
        "rows": len(source),
    }
    if run is not None:
        evidence["distinct greedy outputs"] = len({tuple(output) for output in run.outputs})
        evidence["of sources"] = len(run.outputs)
    if change <= NONE_AT_ALL:
        return [finding("D05", BROKEN, evidence, title="the source is ignored: nothing at all depends on it")]
    if not sample.learnt:
        return []  # a model learns the target language first, and to use the source later
    unmoved = sample.accuracy >= SURE and changed < FEW_CHANGES
    if unmoved or after - before < max(LITTLE * before, LITTLE_NATS):
        same = run is not None and len(run.outputs) >= 8 and len({tuple(output) for output in run.outputs}) == 1
        severity = BROKEN if same and sample.accuracy >= SURE and changed < LITTLE else HARMFUL
        return [finding("D05", severity, evidence)]
    return []


def free_run(sample: Sample) -> tuple[Run, int] | None:
    """Decodes some rows greedily; returns the outputs and how many symbols of each row were given."""
    data, count = sample.data, min(FREE_ROWS, len(sample.rows))
    if data.inputs is None or data.targets is None or not data.inputs.ids.size:
        return None
    if data.targets.sequences.single:
        if sample.teacher is None or data.source is not None:
            return None
        return run_windows(sample.teacher, data, data.inputs.ids[sample.rows[:count]], STEPS), 0
    ids = data.inputs.ids[sample.rows[:count]]
    given = 1 if data.source is not None else max(1, ids.shape[1] // 2)
    if data.source is None and (data.inputs.ids.shape != data.targets.ids.shape or sample.future_effect > CAUSAL):
        return None  # not a language model: it reads all of its input before it predicts
    chosen = sample.rows[:count]
    if data.source is None:
        assert sample.teacher is not None
        steps = min(ids.shape[1] - given + 1, STEPS)
        return run_language_model(sample.teacher, data, ids[:, :given], steps), given
    steps = min(int(data.targets.lengths()[chosen].max()) + 1, STEPS)
    starts = np.full(count, data.start) if data.start is not None else data.inputs.first()[chosen]
    return run_translator(sample.teacher, sample.stepper, data, sample.source(count), starts, steps), given


def check_free_run(sample: Sample, run: Run, given: int) -> list[Finding]:
    """D06: compares teacher-forced accuracy with free-running accuracy.

    A decoder that reads earlier steps only predicts the same in both until its first mistake. So the share of symbols
    before the first teacher-forced mistake is a lower bound of the free-running accuracy.
    """
    if given == 0 or not sample.learnt:
        return check_peeking(sample)
    count = len(run.outputs)
    if sample.data.source is None:
        since = given - 1
        steps = len(run.written[0])
        right = sample.right[:count, since : since + steps]
        references = [row[since : since + steps].tolist() for row in sample.targets[:count]]
        outputs = run.written
        lengths = [len(reference) for reference in references]
    else:
        right = sample.right[:count]
        references = [reference[:STEPS] for reference in sample.references(count)]
        outputs = run.outputs
        lengths = [len(reference) for reference in references]
    if not sum(lengths):
        return []
    before = sum(min(first_wrong(row), length) for row, length in zip(right, lengths, strict=True)) / sum(lengths)
    free = positional_accuracy(outputs, references)
    chance = positional_accuracy(outputs, references[1:] + references[:1])
    parts = [first_difference(output, reference) for output, reference in zip(outputs, references, strict=True)]
    evidence = {
        "accuracy when fed the right symbols": sample.accuracy,
        "before its first mistake": before,
        "accuracy when free": free,
        "against other rows' targets": chance,
        "they part at step": float(np.median(parts)) + 1,
        "rows": count,
    }
    ahead = sample.future_effect
    if ahead > CAUSAL:
        evidence[LOOKS_AHEAD] = ahead
    title = "the decoder sees the symbols that it must predict" if ahead > CAUSAL else ""
    if check_peeking(sample):
        return [finding("D06", BROKEN, evidence, title=title, fix=LOOK_BACK)]
    if free < 0.5 * before and before > chance + 0.1:
        complete = ahead > CAUSAL or free <= chance + 0.15 * max(sample.accuracy - chance, 0)
        return [finding("D06", BROKEN if complete else HARMFUL, evidence, title=title)]
    if ahead > 0.02 and sample.accuracy - free > 0.2:
        return [finding("D06", HARMFUL, evidence, title=title)]
    if sample.accuracy >= GOOD and sample.accuracy - free > GAP and sample.data.source is not None:
        return [finding("D06", HARMFUL, evidence, title=title)]
    return []


def check_peeking(sample: Sample) -> list[Finding]:
    """D06 by structure: a decoder, or a language model, that sees the symbols it must predict."""
    data = sample.data
    if data.inputs is None or data.targets is None or data.targets.sequences.single:
        return []
    if data.inputs.ids.shape != data.targets.ids.shape or agreement(data.inputs, data.targets, 1) < 0.9:
        return []
    ahead = sample.future_effect
    if ahead <= CAUSAL:
        return []
    evidence = {
        LOOKS_AHEAD: ahead,
        "accuracy when it sees them": sample.accuracy,
        "rows": len(sample.rows),
    }
    what = "model" if data.source is None else "decoder"
    title = f"the {what} sees the symbols that it must predict"
    return [finding("D06", BROKEN, evidence, title=title, fix=LOOK_BACK)]


def first_wrong(right: np.ndarray) -> int:
    """Counts the steps before the first mistake."""
    return len(right) if right.all() else int((~right).argmax())


def first_difference(output: list[int], reference: list[int]) -> int:
    """Counts the steps before two rows differ."""
    for step, (one, other) in enumerate(zip(output, reference, strict=False)):
        if one != other:
            return step
    return min(len(output), len(reference))


def check_loops(sample: Sample, run: Run) -> list[Finding]:
    """D14: greedy outputs end in a repetition, and targets do not."""
    if not sample.learnt or len(run.outputs) < 4:
        return []
    share, natural = loop_share(run.outputs), loop_share(natural_rows(sample.data, sample))
    if share <= natural + LOOPS:
        return []
    periods = [loop_period(output) for output in run.outputs]
    evidence = {
        "outputs that run in circles": share,
        "targets that do": natural,
        "median period": float(np.median([period for period in periods if period])),
        "such as": next(output[-8:] for output, period in zip(run.outputs, periods, strict=True) if period),
        "rows": len(run.outputs),
    }
    return [finding("D14", HARMFUL, evidence)]


def natural_rows(data: Data, sample: Sample) -> list[list[int]]:
    """Returns correct text: targets, or the inputs of a model of windows."""
    if data.targets is not None and data.targets.sequences.single and data.inputs is not None:
        return [row.tolist() for row in data.inputs.ids[sample.rows]]
    return sample.references(len(sample.rows))
