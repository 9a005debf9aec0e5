import dataclasses
import os
import shutil

import numpy as np
import pytest

from seq2seq.api import load
from seq2seq.bundle.folder import load_bundle, save_bundle
from seq2seq.bundle.record import CONFIG, DICTIONARY, newest_bundle, part_names
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import BundleError
from seq2seq.files.writing import write_arrays, write_json
from seq2seq.inference.translator import Translator
from seq2seq.special import END
from tests.conftest import random_bundle
from tests.records import read_config, rehash, write_config
from tests.test_checkpoints import PowerCut, Scissors
from tests.tiny_language import make_model

PARTS = [*part_names("translator"), DICTIONARY]


@pytest.fixture
def folder(tiny_bundle):
    return tiny_bundle()


def rewrite(folder, **changes):
    """Changes keys of config.json; None removes one. Its own hash is that of the content before."""
    record = {**read_config(folder), **changes}
    write_json(folder / CONFIG, {key: value for key, value in record.items() if value is not None})


def refusal(folder):
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    return str(error.value)


def test_what_was_saved_is_loaded(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONFIG, *PARTS])
    bundle = load_bundle(folder)
    assert bundle.kind == "translator"
    assert bundle.model.hidden_size == 8
    assert bundle.record["trained_on"]["name"] == "tiny"
    assert all(array.dtype == np.float32 for array in bundle.weights.values())
    assert Translator(bundle).translate(["abcd."]) == load(folder).translate(["abcd."])
    assert isinstance(load(str(folder)), Translator)


def test_a_folder_can_be_moved(folder, tmp_path):
    texts = load(folder).translate(["abcd.", "op."])
    shutil.move(folder, tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").translate(["abcd.", "op."]) == texts


def test_nothing_a_file_or_some_folder_is_no_model(tmp_path):
    assert refusal(tmp_path / "none") == (
        f"{tmp_path / 'none'}: expected a model folder, got nothing there; `seq2seq models` lists those that there are"
    )
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file") == f"{tmp_path / 'file'}: expected a model folder, got a file there"
    assert refusal(tmp_path) == (f"{tmp_path}: is not a model folder (no config.json); train one with `seq2seq train`")


def test_an_unfinished_folder_says_how_to_finish_it(tmp_path):
    (tmp_path / "checkpoint-3").mkdir()
    assert refusal(tmp_path) == (
        f"{tmp_path}: is unfinished (no config.json); run the same train command again to finish it"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, expected 1; use the version of seq2seq that wrote it"),
        ({"format": None}, "is not a model's configuration (no 'format')"),
        ({"kind": "oracle"}, "is damaged: kind is 'oracle'; train again, or restore the file"),
        ({"kind": None}, "is damaged: no 'kind'; train again, or restore the file"),
        ({"data": None}, "is damaged: no 'data'; train again, or restore the file"),
        ({"model": []}, "is damaged: model is []; train again, or restore the file"),
        ({"sha256": "none"}, "is damaged: sha256 is 'none'; train again, or restore the file"),
        ({"sha256": {}}, "is damaged: no sha256 of weights.safetensors; train again, or restore the file"),
        (
            {"model": {"hidden_size": "many"}},
            "cannot be used: model.hidden_size: expected int, got 'many'; use the version",
        ),
        ({"model": {"depth": 3}}, "unknown key 'depth' in section 'model'; the keys are architecture, "),
        ({"lengths": [3, 4]}, "config.json: is damaged: lengths is [3, 4]; train again"),
        ({"lengths": {"source": 3}}, "lengths: is damaged: no 'target'; train again"),
        ({"lengths": {"source": 3, "target": 4, "memory": 5}}, "lengths: is damaged: unknown key 'memory'; train"),
        ({"lengths": {"source": "3", "target": 4}}, "lengths: is damaged: source is '3'; train again"),
        ({"source_form": {"revers": True}}, "source_form: is damaged: unknown key 'revers'; train again"),
        ({"source_form": {"length": True}}, "source_form: is damaged: length is True; train again"),
        ({"source_form": {"before": 1}}, "source_form: is damaged: before is 1; train again"),
        ({"source_form": {"after": ["a"]}}, "source_form: is damaged: after is ['a']; train again"),
        ({"source_form": {"clean": 1}}, "source_form: is damaged: clean is 1; train again"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(folder, changes, message):
    rewrite(folder, **changes)
    found = refusal(folder)
    assert found.startswith(f"{folder / CONFIG}: ")
    assert message in found


def test_a_source_form_may_lack_what_is_as_in_ours(folder):
    write_config(folder, {**read_config(folder), "source_form": {"reversed": True, "before": [2]}})
    assert Translator(load_bundle(folder)).source_form.row([5, 6]) == [2, 6, 5, END]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", b"\xff"])
def test_a_damaged_configuration_is_named(folder, content):
    path = folder / CONFIG
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(folder).startswith(f"{path}: is ")


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_byte_in_any_part_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert refusal(folder) == (
        f"{folder / name}: is not the file that was written (its sha256 differs); train again, or restore the file"
    )


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_part_is_found(folder, name):
    (folder / name).unlink()
    assert refusal(folder) == f"{folder / name}: is missing; train again, or restore the file"


def test_the_weights_of_another_run_are_refused(folder, tiny_bundle):
    shutil.copy(tiny_bundle("other", seed=2) / "weights.safetensors", folder)
    assert "weights.safetensors: is not the file that was written" in refusal(folder)


def test_a_vocabulary_of_another_size_is_refused_even_with_its_hash(folder, tiny_bundle):
    other = tiny_bundle("other", rows=["a\tb", "c\td", "e\tf", "g\th"])
    shutil.copy(other / "target_vocabulary.json", folder)
    rehash(folder)
    assert refusal(folder) == (
        f"{folder / 'weights.safetensors'}: weight 'target_embedding.embeddings' has shape (22, 6), expected (6, 6); "
        "the folder mixes parts of different models"
    )


def test_a_damaged_vocabulary_is_named_even_with_its_hash(folder):
    path = folder / "source_vocabulary.json"
    path.write_text(path.read_text().replace('"symbols"', '"simbols"'))
    rehash(folder)
    assert refusal(folder).startswith(f"{path}: expected a vocabulary with the keys ")


def test_a_text_that_is_not_utf_8_is_named_even_with_its_hash(folder):
    (folder / DICTIONARY).write_bytes(b"a\xff")
    rehash(folder)
    assert refusal(folder).startswith(f"{folder / DICTIONARY}: is damaged: not UTF-8 at byte 1; train again")


def test_weights_without_their_table_are_refused(folder):
    weights = {name: array for name, array in load_bundle(folder).weights.items() if "source_emb" not in name}
    write_arrays(folder / "weights.safetensors", weights)
    rehash(folder)
    assert "weight 'source_embedding.embeddings' is missing; the folder mixes parts" in refusal(folder)


def test_a_cut_between_any_two_writes_leaves_no_model_or_a_whole_one(tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{a}{b}.\t{b}{a}\n" for a in "abcd" for b in "efgh"))
    sizes = ModelConfig(hidden_size=4, embedding_size=3)
    for after in range(100):
        folder = tmp_path / str(after)
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                random_bundle(folder, DataConfig(data=str(data)), sizes, 1)
            finished = True
        except PowerCut:
            finished = False
        if not folder.exists() or not (folder / CONFIG).exists():
            with pytest.raises(BundleError, match="is not a model folder|got nothing there"):
                load_bundle(folder)
        else:
            load_bundle(folder)
        if finished:
            break
    assert (folder / CONFIG).exists() and after >= 14


def test_a_cut_while_a_model_is_replaced_leaves_the_old_one_or_none_or_the_new(tiny_bundle, tmp_path):
    old, new = tiny_bundle("old"), load_bundle(tiny_bundle("new", seed=2))
    found = set()
    for after in range(100):
        folder = shutil.copytree(old, tmp_path / str(after))
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                save_bundle(dataclasses.replace(new, path=folder), metrics={}, history=[], canary=[])
            finished = True
        except PowerCut:
            finished = False
        if (folder / CONFIG).exists():
            weights = load_bundle(folder).weights
            found.add("new" if np.array_equal(weights["logits.kernel"], new.weights["logits.kernel"]) else "old")
        else:
            found.add("none")
        if finished:
            break
    assert finished and after >= 14 and found == {"old", "none", "new"}


def test_nothing_in_a_folder_is_hidden_from_others(folder):
    mask = os.umask(0)
    os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666 & ~mask}


def test_history_is_a_table(folder):
    assert (folder / "history.csv").read_text() == "epoch,loss\n1,1.0\n"


def test_a_history_of_no_epochs_is_an_empty_table(tmp_path, folder):
    bundle = load_bundle(folder)
    (tmp_path / "new").mkdir()
    save_bundle(dataclasses.replace(bundle, path=tmp_path / "new"), metrics={}, history=[], canary=[])
    assert (tmp_path / "new" / "history.csv").read_text() == "epoch\n"


# the newest


def test_the_model_that_was_finished_last_is_the_newest(tmp_path, tiny_bundle):
    with pytest.raises(BundleError) as error:
        newest_bundle(tmp_path / "runs")
    assert str(error.value) == (
        f"no finished model under {tmp_path / 'runs'}/; train one (`make train`), or give --model DIR"
    )
    one, two = tiny_bundle("one"), tiny_bundle("two")
    (tmp_path / "three").mkdir()  # unfinished
    for place, path in enumerate((two, one)):
        os.utime(path / CONFIG, (1000 + place, 1000 + place))
    assert newest_bundle(tmp_path) == one
    os.utime(two / CONFIG, (2000, 2000))
    assert newest_bundle(tmp_path) == two


def test_the_newest_may_be_of_a_kind(tmp_path, tiny_bundle):
    runs = tmp_path / "runs"
    runs.mkdir()
    make_model(runs / "prose")
    translator = shutil.move(tiny_bundle(), runs / "tiny")
    os.utime(translator / CONFIG, (1000, 1000))
    assert newest_bundle(runs) == runs / "prose"
    assert newest_bundle(runs, "translator") == runs / "tiny"


def test_another_programs_configuration_is_not_taken_for_the_newest_model(tmp_path, tiny_bundle):
    model = tiny_bundle()
    for name, content in (("other", '{"architectures": []}'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONFIG).write_text(content)
    assert newest_bundle(tmp_path) == model
    assert newest_bundle(tmp_path, "translator") == model


def test_a_language_model_is_no_translator(tmp_path):
    model = make_model(tmp_path / "prose")
    with pytest.raises(BundleError, match="is a language-model, expected a translator; use `generate` for it"):
        Translator(load_bundle(model.bundle.path))
