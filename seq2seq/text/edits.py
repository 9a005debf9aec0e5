"""Edit actions: a learnt edit distance aligns pairs, and each pair becomes a row of actions that rewrites its source.

The actions walk through the source from left to right. COPY writes the symbol at the position, SUB c writes c; both go
one symbol on. DELETE goes on and writes nothing, INS c writes c and stays. END comes after the last symbol.
"""

import functools
from collections.abc import Sequence

import numpy as np

from seq2seq.errors import DataError
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK
from seq2seq.text.batches import Ragged
from seq2seq.text.edit_distance import EditDistance, batches_of
from seq2seq.text.edit_lattice import DELETED, INSERTED
from seq2seq.text.readings import Reading

COPY, DELETE = SPECIAL_COUNT, SPECIAL_COUNT + 1
FIRST_SUB = SPECIAL_COUNT + 2  # SUB of the first target symbol; the other symbols follow in the order of their ids

# A search never takes an action below END. These two let `score` and validation read a target with a symbol that the
# model cannot write, and that is not copied.
SUB_UNKNOWN, INS_UNKNOWN = UNK, START


def action_count(target_size: int) -> int:
    """Returns the number of action ids for a target vocabulary of `target_size` ids, special ids included."""
    return FIRST_SUB + 2 * (target_size - SPECIAL_COUNT)


def first_insertion(actions: int) -> int:
    """Returns the first action, of `actions` ids, that writes and stays."""
    return FIRST_SUB + (actions - FIRST_SUB) // 2


@functools.lru_cache
def advances(actions: int) -> np.ndarray:
    """Returns bool (actions,), not to be changed: whether each action goes one symbol on in the source."""
    ids = np.arange(actions)
    return ((ids >= COPY) & (ids < first_insertion(actions))) | (ids == SUB_UNKNOWN)


@functools.lru_cache
def impossible(actions: int) -> np.ndarray:
    """Returns bool (2, actions), not to be changed: what cannot be chosen before the end of the source, and at it."""
    ids, moves = np.arange(actions), advances(actions)
    return np.stack([(ids == PAD) | (ids == END), (ids == PAD) | moves])


@functools.lru_cache
def writes(actions: int) -> np.ndarray:
    """Returns bool (actions,), not to be changed: whether a search's action writes a symbol."""
    ids = np.arange(actions)
    return (ids == COPY) | (ids >= FIRST_SUB)


def substitute(target_ids: np.ndarray) -> np.ndarray:
    """Returns the actions that write target ids, int (...), for the symbol at the position; int (...)."""
    return np.where(target_ids == UNK, SUB_UNKNOWN, FIRST_SUB - SPECIAL_COUNT + target_ids)


def insert(target_ids: np.ndarray, target_size: int) -> np.ndarray:
    """Returns the actions that write target ids, int (...), and stay; int (...)."""
    first = first_insertion(action_count(target_size))
    return np.where(target_ids == UNK, INS_UNKNOWN, first - SPECIAL_COUNT + target_ids)


def apply(actions: Sequence[int], source: Sequence[str], target_symbols: Sequence[str]) -> list[str]:
    """Writes the target that actions make of a source.

    Args:
        actions: action ids, without START and END; the source need not be read to its end.
        source: the symbols of the source, as COPY writes them.
        target_symbols: the symbol of each target id, special ids included.

    """
    symbols = target_symbols[SPECIAL_COUNT:]
    written: list[str] = []
    position = 0
    for action in actions:
        if action == COPY:
            written.append(source[position])
        elif action >= FIRST_SUB:
            written.append(symbols[(action - FIRST_SUB) % len(symbols)])
        elif action != DELETE:
            written.append(target_symbols[UNK])
        position += COPY <= action < FIRST_SUB + len(symbols) or action == SUB_UNKNOWN
    return written


def described(
    action: int, position: int, source: Sequence[str], target_symbols: Sequence[str]
) -> tuple[str, str | None]:
    """Returns an action's name, and the symbol that it writes; None: it writes none.

    Args:
        action: its id, DELETE, COPY, END or one that writes.
        position: in the source.
        source: the symbols of the source, as COPY writes them.
        target_symbols: the symbol of each target id, special ids included.

    """
    if action in (END, DELETE):
        return ("end" if action == END else "delete"), None
    if action == COPY:
        return "copy", source[position]
    (symbol,) = apply([action], source, target_symbols)
    return ("substitute" if advances(action_count(len(target_symbols)))[action] else "insert"), symbol


def check_paths(source_ids: np.ndarray, action_ids: np.ndarray, *, target_size: int) -> None:
    """Refuses actions that do not belong to their sources.

    Args:
        source_ids: int32 (B, S), symbols and END, right-padded.
        action_ids: int32 (B, T), actions and END, right-padded; without START.
        target_size: the number of target ids, special ids included.

    Raises:
        DataError: a row reads fewer or more symbols than its source has.

    """
    reads, lengths = advances(action_count(target_size))[action_ids].sum(1), (source_ids != PAD).sum(1) - 1
    wrong = np.flatnonzero(reads != lengths)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"wrong actions (D02): those of row {row} read {int(reads[row])} source symbols, expected "
            f"{int(lengths[row])}, all before END; each action must stand at the position that it was made for"
        )


def canonical_paths(
    distance: EditDistance, sources: Sequence[Reading], targets: Sequence[Reading], *, target_size: int
) -> list[list[int]]:
    """Returns the most probable actions of each pair, with START first and END last.

    Args:
        distance: of source and target ids.
        sources: what each source was read as; a symbol is copied where it is the target's, known to the model or not.
        targets: what each target was read as.
        target_size: the number of target ids, special ids included.

    """
    source_ids, target_ids = (Ragged([one.ids for one in several]) for several in (sources, targets))
    found: list[list[int]] = [[]] * len(sources)
    for rows in batches_of(source_ids, target_ids):
        edits = distance.best_edits(source_ids.padded(rows, left=True), target_ids.padded(rows, left=True))
        for place, row in enumerate(rows.tolist()):
            found[row] = _path(edits[:, place], sources[row], targets[row], target_size)
    return found


def _path(edits: np.ndarray, source: Reading, target: Reading, target_size: int) -> list[int]:
    """Returns the actions of one pair, with START and END; `edits`, int8 (N + 1, M + 1), is padded on the left."""
    substitutions, insertions = _writers(target_size)
    height, width = len(source.ids), len(target.ids)
    above, before = edits.shape[0] - 1 - height, edits.shape[1] - 1 - width
    actions = [START]
    i = j = 0
    while i < height or j < width:
        edit = edits.item(above + i, before + j)
        if edit == DELETED:
            actions.append(DELETE)
        elif edit == INSERTED:
            actions.append(insertions[target.ids[j]])
        else:
            same = source.symbols[i] == target.symbols[j]
            actions.append(COPY if same else substitutions[target.ids[j]])
        i += edit != INSERTED
        j += edit != DELETED
    actions.append(END)
    return actions


@functools.lru_cache
def _writers(target_size: int) -> tuple[list[int], list[int]]:
    """Returns the substitution and the insertion of each target id."""
    ids = np.arange(target_size)
    return substitute(ids).tolist(), insert(ids, target_size).tolist()
