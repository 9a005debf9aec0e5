import pytest

import seq2seq
from seq2seq.errors import BundleError, DataError
from seq2seq.scoring import training_data as module
from seq2seq.scoring.training_data import training_data
from seq2seq.text.datasets import resolve
from tests.tiny_language import make_model


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))


def test_changed_data_is_refused(tiny_bundle):
    folder = tiny_bundle()
    with folder.with_name("tiny.tsv").open("a") as file:
        file.write("more\tplus\n")
    message = (
        r"tiny: expected the data it was trained on, 'tiny' with sha256 [0-9a-f]{12}, but the data there now has "
        r"sha256 [0-9a-f]{12}; restore that data, or give --data FILE.tsv to score another file"
    )
    with pytest.raises(DataError, match=message):
        training_data(seq2seq.load(folder).bundle)


def test_of_several_places_the_likeliest_is_named(tiny_bundle):
    bundle = seq2seq.load(tiny_bundle()).bundle
    bundle.path.with_name("tiny.tsv").write_text("other\trows\n" * 9)
    object.__setattr__(bundle, "data", type(bundle.data)(data="absent.tsv"))
    with pytest.raises(DataError, match=r"but it cannot be found: .*absent\.tsv"):
        training_data(bundle)


def test_data_that_has_gone_is_named(tiny_bundle):
    folder = tiny_bundle()
    folder.with_name("tiny.tsv").unlink()
    with pytest.raises(DataError, match=r"but it cannot be found: .*tiny\.tsv.*; restore that data, or give --data"):
        training_data(seq2seq.load(folder).bundle)


def test_data_is_found_from_another_folder_by_its_recorded_path(tiny_bundle, monkeypatch, tmp_path):
    bundle = seq2seq.load(tiny_bundle()).bundle
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    object.__setattr__(bundle, "data", type(bundle.data)(data="tiny.tsv"))
    assert training_data(bundle).paths["all"] == tmp_path / "tiny.tsv"


def test_a_later_download_does_not_hide_the_bundled_data(tiny_bundle, tmp_path, monkeypatch):
    bundle = seq2seq.load(tiny_bundle()).bundle
    file = tmp_path / "tiny.tsv"
    monkeypatch.setattr(module, "bundled_path", lambda name: {"fra-eng": file}[name])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "fra-eng.tsv").write_text("a\tb\nc\td\ne\tf\n")
    origin = {**bundle.record["trained_on"], "name": "fra-eng", "origin": "bundled", "paths": {}}
    object.__setattr__(bundle, "record", {**bundle.record, "trained_on": origin})
    object.__setattr__(bundle, "data", type(bundle.data)(data="fra-eng"))
    assert training_data(bundle).paths["all"] == file


def test_a_model_without_record_of_its_data_says_so(tiny_bundle):
    bundle = seq2seq.load(tiny_bundle()).bundle
    object.__setattr__(bundle, "record", {})
    with pytest.raises(BundleError, match=r"does not record its training data; give --data FILE\.tsv"):
        training_data(bundle)


def test_a_text_is_found_by_its_recorded_path_whatever_its_name(tmp_path):
    bundle = make_model(tmp_path / "moved").bundle
    file = tmp_path / "moved.txt"
    file.rename(tmp_path / "moved.md")
    origin = {**bundle.record["trained_on"], "paths": {"all": str(tmp_path / "moved.md")}}
    object.__setattr__(bundle, "record", {**bundle.record, "trained_on": origin})
    found = training_data(bundle)
    assert (found.kind, found.paths["all"], found.sha256) == ("text", tmp_path / "moved.md", origin["sha256"])


def test_a_text_that_has_gone_may_be_named(tmp_path):
    bundle = make_model(tmp_path / "moved").bundle
    copy = tmp_path / "copy.txt"
    (tmp_path / "moved.txt").rename(copy)
    with pytest.raises(DataError, match="which does not exist; .* restore that data, or name a copy of it with"):
        training_data(bundle)
    assert training_data(bundle, str(copy)).paths["all"] == copy
    copy.write_text("another text")
    message = (
        r"--data .*copy\.txt: expected the text that the model was trained on \(sha256 [0-9a-f]{12}\), "
        r"got sha256 [0-9a-f]{12}; give that text, or leave out the options that compare with it"
    )
    with pytest.raises(DataError, match=message):
        training_data(bundle, str(copy))


def test_a_language_model_without_record_of_its_data_says_so(tmp_path):
    bundle = make_model(tmp_path / "moved").bundle
    object.__setattr__(bundle, "record", {})
    with pytest.raises(
        BundleError, match="does not record its training data; leave out the options that compare with it"
    ):
        training_data(bundle)


def test_the_three_files_of_a_folder_are_found_by_their_recorded_paths(tiny_bundle, tmp_path, monkeypatch):
    bundle = seq2seq.load(tiny_bundle()).bundle
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        (folder / name).write_text(f"{name}\tb\n")
    dataset = resolve(folder)
    paths = {part: str(path) for part, path in dataset.paths.items()}
    origin = {"name": "set", "origin": "path", "paths": paths, "sha256": dataset.sha256, "licence": None}
    object.__setattr__(bundle, "record", {**bundle.record, "trained_on": origin})
    object.__setattr__(bundle, "data", type(bundle.data)(data="set"))
    monkeypatch.chdir(tmp_path / "tiny")
    assert training_data(bundle) == dataset
