"""Explains one output: decodes the line, then feeds the output to the same step and keeps what it computes."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from seq2seq.decoding import BeamTree
from seq2seq.errors import OptionError
from seq2seq.inference.action_writer import ActionWriter
from seq2seq.inference.explanation import (
    Alternative,
    ExplainedAction,
    ExplainedSymbol,
    Explanation,
    SearchTree,
    TreeNode,
)
from seq2seq.inference.forcing import Followed, followed, without_attention
from seq2seq.inference.language_model import LanguageModel, Opening
from seq2seq.inference.results import Output
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig, ExplanationConfig, GenerationConfig
from seq2seq.special import END
from seq2seq.text.edits import DELETE, advances, described
from seq2seq.text.readings import Reading, Replacement
from seq2seq.text.vocabulary import Vocabulary


def separated(options: Mapping[str, Any]) -> tuple[ExplanationConfig, dict[str, Any]]:
    """Separates the options of an explanation from those of the search; raises OptionError for a wrong value."""
    names = {field.name for field in dataclasses.fields(ExplanationConfig)}
    own = {name: value for name, value in options.items() if name in names}
    return ExplanationConfig(**own), {name: value for name, value in options.items() if name not in names}


def explain_translation(
    translator: Translator,
    line: str,
    config: DecodingConfig,
    wanted: ExplanationConfig,
    *,
    number: int = 1,
    notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
) -> Explanation:
    """Translates one line, and explains its best output.

    Args:
        translator: the model.
        line: the source.
        config: how to decode.
        wanted: what to show.
        number: of the line in the whole input; sampling depends on it.
        notice: receives each unknown character and its line; line 0 is the prefix.

    Raises:
        OptionError: a tree of samples is asked for.
        DataError: the line has no tags, or with oov="error" a character is unknown.

    """
    if wanted.tree and config.temperature:
        raise OptionError(
            "--tree shows what a beam keeps, and --temperature draws samples; give --beam-size, or leave --tree out"
        )
    translator.check_lines([line], most=config.max_source_length, first_line=number)
    config, tree = config.with_seed(), BeamTree(config.length_penalty) if wanted.tree else None
    ((output, *_),) = translator.decode_chunk([line], config, first_line=number, notice=notice, observer=tree)
    source = translator.encode(line, config.oov, number, lambda *_: None)
    writer, empty = translator.writer, not source.tags + source.ids
    path = [] if empty else writer.path(source, output)
    found = writer.follow(source, path) if path else Followed(np.zeros((0, 1)), None)
    if isinstance(writer, ActionWriter):
        read, name = [*source.symbols, translator.source_vocabulary.symbol(END)], "transducer"
        symbols, actions = written_by_actions(writer, source, path, found, output, wanted.alternatives)
    else:
        read, name = symbols_read(translator, source), "translator"
        forced = len(output.token_ids) + output.finished - len(output.log_probs)
        symbols = written_by_symbol(path, found, translator.target_vocabulary, forced, wanted.alternatives)
        actions = None
    return Explanation(
        model=translator.bundle.path.name,
        kind=name,
        source=[] if empty else read,
        text=output.text,
        finished=output.finished,
        score=output.score,
        seed=output.seed,
        symbols=symbols,
        attention=None if found.attention is None else found.attention.tolist(),
        actions=actions,
        tree=None if tree is None or len(tree.branches) == 1 else drawn(tree, translator, source, output, config),
    )


def explain_text(
    model: LanguageModel,
    opening: Opening,
    config: GenerationConfig,
    wanted: ExplanationConfig,
    *,
    stop: Sequence[str] = (),
) -> Explanation:
    """Continues an opening with a language model, and explains each symbol of the continuation.

    Args:
        model: the model.
        opening: the prompt, as `LanguageModel.open` reads it.
        config: how to generate one text; it must have a seed.
        wanted: what to show.
        stop: strings that end the text.

    Raises:
        OptionError: a tree is asked for.

    """
    if wanted.tree:
        raise OptionError("--tree: a language model has no beam to show; leave --tree out")
    (text,) = model.write(opening, config, stop)
    return Explanation(
        model=model.bundle.path.name,
        kind="language model",
        source=model.vocabulary.symbols_of(opening.ids),
        text=text.text,
        finished=text.finished,
        score=math.fsum(text.log_probs),
        seed=text.seed,
        symbols=symbols_after(model, opening.ids, text.token_ids, wanted.alternatives),
        attention=None,
        actions=None,
        tree=None,
    )


def symbols_after(
    model: LanguageModel, before: Sequence[int], token_ids: Sequence[int], most: int
) -> list[ExplainedSymbol]:
    """Explains what a language model wrote.

    Args:
        model: the model.
        before: ids of the text before, at least one.
        token_ids: ids of what was written.
        most: alternatives of each symbol.

    """
    *read, last = before
    state = model.read(read)[1] if read else model.runtime.start(1)
    path = [last, *token_ids]
    found = followed(without_attention(model.runtime), state, path)
    return written_by_symbol(path, found, model.vocabulary, 0, most, first_id=END + 1)


def symbols_of(translator: Translator, output: Output, most: int) -> list[ExplainedSymbol]:
    """Explains the symbols of an output that has no forced prefix, each with at most `most` alternatives."""
    source = translator.encode(output.source, "map", output.line, lambda *_: None)
    if not source.tags + source.ids:
        return []
    writer = translator.writer
    path = writer.path(source, output)
    found = writer.follow(source, path)
    if isinstance(writer, ActionWriter):
        return written_by_actions(writer, source, path, found, output, most)[0]
    return written_by_symbol(path, found, translator.target_vocabulary, 0, most)


def symbols_read(translator: Translator, source: Reading) -> list[str]:
    """Returns the symbols of the row that the encoder reads, as the line has them; special ids by their names."""
    vocabulary = translator.source_vocabulary
    line = [*vocabulary.symbols_of(source.tags), *source.symbols]
    # negative numbers stand for places of the line
    row = translator.source_form.row([place - len(line) for place in range(len(line))])
    return [line[id_] if id_ < 0 else vocabulary.symbol(id_) for id_ in row]


def written_by_symbol(
    path: Sequence[int], found: Followed, vocabulary: Vocabulary, forced: int, most: int, *, first_id: int = END
) -> list[ExplainedSymbol]:
    """Explains the ids of a path after its first; `forced` counts those of a prefix, `first_id` can be emitted."""

    def name(token: int) -> str | None:
        return None if token == END else vocabulary.symbol(token)

    explained = []
    for place, (token, log_probs) in enumerate(zip(path[1:], found.log_probs, strict=True)):
        order = first_id + np.argsort(-log_probs[first_id:], kind="stable")[:most]
        ids = [*order.tolist(), *([] if token in order else [token])]
        alternatives = [Alternative(name(id_), math.exp(log_probs[id_])) for id_ in ids]
        explained.append(ExplainedSymbol(name(token), math.exp(log_probs[token]), place < forced, alternatives))
    return explained


def written_by_actions(
    writer: ActionWriter, source: Reading, path: Sequence[int], found: Followed, output: Output, most: int
) -> tuple[list[ExplainedSymbol], list[ExplainedAction]]:
    """Explains the symbols that a path of actions writes, and the actions."""
    moves = advances(writer.actions).astype(int)
    positions = list(accumulate((int(moves[action]) for action in path), initial=0))[1:-1]
    forced = len(output.symbols) + output.finished - len(output.log_probs)
    symbols: list[ExplainedSymbol] = []
    actions: list[ExplainedAction] = []
    pending = 1.0  # probability of the deletions since the last symbol
    for action, position, log_probs in zip(path[1:], positions, found.log_probs, strict=True):
        probability = math.exp(log_probs[action])
        kind, symbol = described(action, position, source.symbols, writer.names)
        actions.append(ExplainedAction(kind, position, symbol, probability))
        pending *= probability
        if action != DELETE:
            alternatives = next_symbols(writer, source, position, log_probs, symbol, most)
            symbols.append(ExplainedSymbol(symbol, pending, len(symbols) < forced, alternatives))
            pending = 1.0
    return symbols, actions


def next_symbols(
    writer: ActionWriter, source: Reading, position: int, log_probs: np.ndarray, chosen: str | None, most: int
) -> list[Alternative]:
    """Adds up the probabilities of the actions that write the same symbol.

    Args:
        writer: of the transducer.
        source: what it rewrites.
        position: in the source.
        log_probs: float64 (A,), nats, of the next action.
        chosen: the symbol that is written.
        most: the number of symbols to return, the most probable ones, and the chosen one if it is not among them.

    """
    totals: dict[str | None, float] = {}
    for action in END + np.flatnonzero(log_probs[END:] > -np.inf):
        kind, symbol = described(int(action), position, source.symbols, writer.names)
        symbol = "" if kind == "delete" else symbol
        totals[symbol] = totals.get(symbol, 0.0) + math.exp(log_probs[action])
    order = sorted(totals, key=lambda symbol: -totals[symbol])
    shown = order[:most]
    return [Alternative(symbol, totals[symbol]) for symbol in [*shown, *([] if chosen in shown else [chosen])]]


def drawn(
    tree: BeamTree, translator: Translator, source: Reading, output: Output, config: DecodingConfig
) -> SearchTree:
    """Names the hypotheses of a tree."""
    best = tree.path([*output.token_ids, END])
    names = list(branch_names(tree, translator, source))
    nodes = [
        TreeNode(at, branch.parent, branch.step, *name, branch.log_prob, branch.score, branch.kept, at in best)
        for at, (branch, name) in enumerate(zip(tree.branches, names, strict=True))
    ]
    return SearchTree(config.beam_size or 1, nodes)


def branch_names(tree: BeamTree, translator: Translator, source: Reading) -> Iterator[tuple[str | None, str | None]]:
    """Yields the symbol and the action of each branch."""
    yield "", None
    writer = translator.writer
    if not isinstance(writer, ActionWriter):
        for branch in tree.branches[1:]:
            yield None if branch.token == END else translator.target_vocabulary.symbol(branch.token), None
        return
    moves, positions = advances(writer.actions), [0]
    for branch in tree.branches[1:]:
        assert branch.parent is not None
        position = positions[branch.parent]
        positions.append(position + int(moves[branch.token]))
        kind, symbol = described(branch.token, position, source.symbols, writer.names)
        yield "" if kind == "delete" else symbol, kind
