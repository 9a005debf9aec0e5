"""D14: whether greedy outputs run in circles; runs of 40 symbols first, then longer ones for longer periods."""

from collections.abc import Sequence

import numpy as np

from seq2seq.diagnosis.report import HARMFUL, NOTE, Finding, finding
from seq2seq.diagnosis.running import Rows, Run, run_translator, run_windows_to_loops
from seq2seq.diagnosis.sample import FREE_STEPS, Sample
from seq2seq.scoring.degeneration import LOOPS, REPEATS, loop_period, loop_share

LONG_ROWS = 12
LONG_STEPS = 240  # most symbols of a translator's long output
LONGEST_PERIOD = LONG_STEPS // REPEATS
MOST_STEPS = 480  # most symbols of a language model's long output


def check_loops(sample: Sample, run: Run) -> list[Finding]:
    """D14: greedy outputs end in a repetition, and targets do not."""
    if not sample.learnt or len(run.outputs) < 4:
        return []
    natural = loop_share(natural_rows(sample))
    periods = [loop_period(output) for output in run.outputs]
    if np.mean(np.array(periods) > 0) > natural + LOOPS:
        return [looping(run.outputs, periods, natural, HARMFUL)]
    if sample.data.source is None:
        outputs, periods = continued(sample)
        severity = NOTE  # a language model that always takes the likeliest symbol repeats sooner or later
    else:
        outputs = longer(sample, run)
        periods = [loop_period(output, LONGEST_PERIOD) for output in outputs]
        natural, severity = loop_share(natural_rows(sample), LONGEST_PERIOD), HARMFUL
    if not outputs or np.mean(np.array(periods) > 0) <= natural + LOOPS:
        return []
    return [looping(outputs, periods, natural, severity)]


def looping(outputs: Rows, periods: Sequence[int], natural: float, severity: str) -> Finding:
    """Writes the finding from the period of each output, 0 for none, and the share of targets that repeat."""
    evidence = {
        "outputs that run in circles": float(np.mean(np.array(periods) > 0)),
        "targets that do": natural,
        "median period": float(np.median([period for period in periods if period])),
        "such as": next(output[-8:] for output, period in zip(outputs, periods, strict=True) if period),
        "rows": len(outputs),
        "steps": max(len(output) for output in outputs),
    }
    return finding("D14", severity, evidence)


def continued(sample: Sample) -> tuple[Rows, list[int]]:
    """Runs a language model of whole windows until its windows repeat; returns outputs and the period of each."""
    inputs = sample.data.inputs
    if sample.teacher is None or inputs is None or inputs.pad is not None or sample.data.end is not None:
        return [], []
    windows = inputs.ids[sample.rows[:LONG_ROWS]]
    return run_windows_to_loops(sample.teacher, sample.data, windows, most=MOST_STEPS, enough=LOOPS)


def longer(sample: Sample, run: Run) -> Rows:
    """Lets inference models write more where their outputs reached the limit of steps; returns the outputs."""
    inputs = sample.data.inputs
    unfinished = np.mean([len(output) >= FREE_STEPS for output in run.outputs])
    if sample.stepper is None or inputs is None or unfinished <= LOOPS:
        return []
    chosen = sample.rows[:LONG_ROWS]
    starts = inputs.first()[chosen] if sample.data.start is None else np.full(len(chosen), sample.data.start)
    return run_translator(None, sample.stepper, sample.data, sample.source(LONG_ROWS), starts, LONG_STEPS).outputs


def natural_rows(sample: Sample) -> Rows:
    """Returns correct text: targets, or the inputs of a model of windows."""
    data = sample.data
    if data.targets is not None and data.targets.sequences.single and data.inputs is not None:
        return [row.tolist() for row in data.inputs.ids[sample.rows]]
    return sample.references(len(sample.rows))
