from seq2seq.cli.notices import UnknownCharacters
from seq2seq.text.vocabulary import Replacement


def told(unknown, text, capsys, *, becomes=None):
    """What is said about the characters of a text, one a line, and then at the end."""
    for line, character in enumerate(text, 1):
        unknown(Replacement(1, character, f"U+{ord(character):04X}", becomes), line)
    first = capsys.readouterr().err.splitlines()
    unknown.summary()
    return first, capsys.readouterr().err.splitlines()


def test_kinds_are_said_once_each_and_the_rest_is_counted(capsys):
    assert told(UnknownCharacters(named=2), "éééüöü", capsys, becomes="e") == (
        [
            "line 1, column 1: 'é' (U+00E9) is unknown to the model, read as 'e'",
            "line 4, column 1: 'ü' (U+00FC) is unknown to the model, read as 'e'",
        ],
        ["1 more kinds of unknown characters were read as others"],
    )
    assert told(UnknownCharacters(named=2), "éüé", capsys)[1] == []


def test_kinds_may_be_summed_up_in_one_line(capsys):
    assert told(UnknownCharacters(named=0), "éüé", capsys) == (
        [],
        [
            "3 symbols of 2 kinds are unknown to the model and were read as others or as UNK, "
            "such as 'é' (U+00E9) of line 1"
        ],
    )


def test_nothing_is_said_where_all_is_known(capsys):
    for named in (0, 5):
        assert told(UnknownCharacters(named=named), "", capsys) == ([], [])
