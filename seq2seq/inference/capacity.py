"""How many lines are decoded together, and the refusal of more hypotheses than memory holds."""

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TRANSDUCER
from seq2seq.memory import check_memory
from seq2seq.search_config import DecodingConfig
from seq2seq.text.edits import action_count

CHUNK_BATCHES = 16  # batches of lines that are read together and sorted by length
# more bytes than a hypothesis took where it was measured: for a unit of a layer, an id that may follow, and a symbol
UNIT_BYTES, ID_BYTES, SYMBOL_BYTES = 60, 60, 250


def chunk_lines(config: DecodingConfig) -> int:
    """Returns how many lines are read and decoded together; fewer where each has several results."""
    return max(1, CHUNK_BATCHES * config.batch_size // config.n_best)


def slot_bytes(bundle: Bundle) -> int:
    """Returns about how many bytes a step takes for one hypothesis."""
    members = bundle.members or (bundle,)
    size = len(bundle.target_vocabulary)
    ids = max(action_count(size) if member.model.architecture == TRANSDUCER else size for member in members)
    units = sum(member.model.units * member.model.layers for member in members)
    return UNIT_BYTES * units + ID_BYTES * ids


def check_hypotheses(slot: int, slots: int, symbols: int, what: str, way_out: str) -> None:
    """Refuses more hypotheses, or longer ones, than memory holds.

    Args:
        slot: bytes, see `slot_bytes`.
        slots: hypotheses that exist at the same time.
        symbols: of each.
        what: the option that asks for them, with its value.
        way_out: what to do instead.

    Raises:
        OptionError: less memory is free.

    """
    check_memory(float(slots) * (slot + SYMBOL_BYTES * float(symbols)), what, way_out)


def check_width(bundle: Bundle, symbols: int, config: DecodingConfig, lines: int) -> None:
    """Refuses options of a translator that ask for more memory than there is.

    Args:
        bundle: the model.
        symbols: of a usual output.
        config: how to decode.
        lines: that are decoded at the same time, if each is a batch alone.

    Raises:
        OptionError: less memory is free.

    """
    beam = config.beam_size or 1
    slots, longest = max(beam, config.n_best), max(symbols, config.min_length)
    if slots == 1:
        what, way_out = f"--min-length {config.min_length}", "give a smaller --min-length"
    elif beam > 1:
        what, way_out = f"--beam-size {beam}", "give a smaller --beam-size"
    else:
        what, way_out = f"--n-best {slots}", "give a smaller --n-best, and another --seed for more samples"
    check_hypotheses(slot_bytes(bundle), slots * lines, longest, what, way_out)
