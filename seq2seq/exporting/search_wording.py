"""What a README or a model.json says of searching and scoring, so that a program does it as `seq2seq decode` does."""

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import EDITS
from seq2seq.text.edit_distance import GRAIN
from seq2seq.text.edits import INS_UNKNOWN, SUB_UNKNOWN

SCORE = (
    "The score of an output is the sum of the log-probabilities of its ids, with END where it was chosen; of a greedy "
    "output, each the most probable allowed id, the smallest of equal ones."
)
CANONICAL = (
    "The score of an output is that of its canonical path, the most probable actions of the model's edit distance; two "
    "paths to one text are one output of a beam."
)
BEAM = (
    "A beam of K hypotheses: the rank of a hypothesis is score / length^A, A = 1 unless `--length-penalty` says "
    "otherwise, where length counts the ids that were chosen, with END. Begin with one hypothesis, which has only "
    "START. Each step keeps the K highest ranks of two kinds together: complete hypotheses, which stay as they are, "
    "and the others longer by one id, each of them by every id that may be chosen. Stop when all K are complete, and "
    "take the one of the highest rank."
)
FULL = (
    "A hypothesis that has as many symbols as an output may have takes one step more: if END is its most probable "
    "allowed id, it takes END, and else it is cut off, complete with the score that it has."
)
FULL_ACTIONS = (
    "A hypothesis that has written more symbols than an output may have takes END next, with log-probability 0. Its "
    "text is then cut off, and its score is that of its actions up to the last symbol that is left."
)
BY_TEXT = (
    "In a search for actions, greedy or beam, length counts actions. After it, each text gets the score of its "
    "canonical path, of several hypotheses with one text the first one stays, and they are ordered by "
    "score / length^A again, where length counts symbols, with END."
)
ROUNDING = (
    "Log-probabilities differ from those of `seq2seq` by rounding, about 1e-5 nats. On a line far from the training "
    "data, such as one letter a hundred times, the encoder can enlarge that until the texts differ."
)


def scoring_rules(bundle: Bundle) -> list[str]:
    """Describes the score of an output and the beam of a translator, in sentences."""
    if bundle.edits:
        return [f"{CANONICAL} {canonical_path()}", BEAM, FULL_ACTIONS, BY_TEXT, ROUNDING]
    return [SCORE, BEAM, FULL, ROUNDING]


def canonical_path() -> str:
    """Describes how the canonical path of a source and a text is found."""
    return (
        f"`{EDITS}` holds that distance, log-probabilities in nats: `edit_distance.substitution` by source id and "
        "target id, `edit_distance.deletion` by source id, `edit_distance.insertion` by target id. Round each to whole "
        f"multiples of {GRAIN:g}, half to even. Of all ways to make the ids of the text of those of the line by "
        "substitutions, deletions and insertions, take the one with the highest sum; of equal ones the one that, where "
        "they first differ, substitutes, or else deletes. A substitution is COPY where both symbols are the same, else "
        f"SUB; END comes last. A symbol of the text that the model does not know has the id 1, its SUB is the action "
        f"{SUB_UNKNOWN} and its INS the action {INS_UNKNOWN}."
    )
