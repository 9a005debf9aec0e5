"""Edit actions: a learnt edit distance aligns pairs, and each pair becomes a row of actions that rewrites its source.

The actions walk through the source from left to right. COPY writes the symbol at the position, SUB c writes c; both go
one symbol on. DELETE goes on and writes nothing, INS c writes c and stays. END comes after the last symbol.
"""

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


def advances(actions: int) -> np.ndarray:
    """Returns bool (actions,): whether each action goes one symbol on in the source."""
    ids = np.arange(actions)
    return ((ids >= COPY) & (ids < first_insertion(actions))) | (ids == SUB_UNKNOWN)


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


def symbol_numbers(sources: Sequence[Reading], targets: Sequence[Reading]) -> tuple[Ragged, Ragged]:
    """Numbers the symbols of pairs: equal symbols have equal numbers, whether a model knows them or not."""
    numbers: dict[str, int] = {}

    def numbered(readings: Sequence[Reading]) -> Ragged:
        return Ragged([[numbers.setdefault(symbol, len(numbers) + 1) for symbol in one.symbols] for one in readings])

    return numbered(sources), numbered(targets)


def canonical_paths(
    distance: EditDistance,
    source_ids: Ragged,
    target_ids: Ragged,
    source_keys: Ragged,
    target_keys: Ragged,
    *,
    target_size: int,
) -> Ragged:
    """Returns the most probable actions of each pair, with START first and END last.

    Args:
        distance: of source and target ids.
        source_ids: of each source, without END.
        target_ids: of each target, without START and END.
        source_keys, target_keys: a number for each symbol; a source symbol is copied where its number is the target's.
        target_size: the number of target ids, special ids included.

    """
    found: list[list[int]] = [[]] * len(source_ids)
    for rows in batches_of(source_ids, target_ids):
        written = target_ids.padded(rows)
        edits = distance.best_edits(source_ids.padded(rows), written)
        # the number of symbols read and written before each edit
        read_before, written_before = (np.cumsum(each, 1) - each for each in (edits != INSERTED, edits != DELETED))
        written_id = _taken(written, written_before)
        same = _taken(source_keys.padded(rows), read_before) == _taken(target_keys.padded(rows), written_before)
        substituted = np.where(same, COPY, substitute(written_id))
        actions = np.choose(np.maximum(edits, 0), [substituted, DELETE, insert(written_id, target_size)])
        for row, ids, count in zip(rows.tolist(), actions.tolist(), (edits >= 0).sum(1).tolist(), strict=True):
            found[row] = [START, *ids[:count], END]
    return Ragged(found)


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns int (B, A): the values, int (B, N), at places, int (B, A), which may be beyond the end."""
    if not values.shape[1]:
        return np.zeros(places.shape, np.int64)
    return np.take_along_axis(values, np.minimum(places, values.shape[1] - 1), 1)
