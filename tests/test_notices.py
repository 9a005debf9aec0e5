from seq2seq.cli.notices import UnknownCharacters
from seq2seq.text.readings import Replacement


def reported(unknown, text, capsys, *, becomes=None):
    """The reports on the characters of a text, one character a line, and those of the summary."""
    for line, character in enumerate(text, 1):
        unknown(Replacement(1, character, f"U+{ord(character):04X}", becomes), line)
    first = capsys.readouterr().err.splitlines()
    unknown.summary()
    return first, capsys.readouterr().err.splitlines()


def test_the_first_characters_are_reported_once_each_and_the_others_counted(capsys):
    assert reported(UnknownCharacters(named=2), "éééüöü", capsys, becomes="e") == (
        [
            "line 1, column 1: 'é' (U+00E9) is unknown to the model, read as 'e'",
            "line 4, column 1: 'ü' (U+00FC) is unknown to the model, read as 'e'",
        ],
        ["1 other characters are unknown to the model too, read as known ones or as UNK"],
    )
    assert reported(UnknownCharacters(named=2), "éüé", capsys)[1] == []


def test_all_characters_can_be_reported_in_one_line(capsys):
    assert reported(UnknownCharacters(named=0), "éüé", capsys) == (
        [],
        [
            "3 symbols (2 different ones) are unknown to the model, read as known ones or as UNK; "
            "the first is 'é' (U+00E9) in line 1"
        ],
    )


def test_nothing_is_reported_where_all_characters_are_known(capsys):
    for named in (0, 5):
        assert reported(UnknownCharacters(named=named), "", capsys) == ([], [])
