"""Makes an ensemble of finished models, which may differ in kind, size and seed: copies them into one new folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from seq2seq.bundle.folder import ensemble_of, join_members, load_bundle, save_bundle
from seq2seq.bundle.record import CANARY, CONFIG, LANGUAGE_MODEL
from seq2seq.errors import OptionError
from seq2seq.files.folders import new_folder
from seq2seq.inference.canary import choose_canary, choose_text_canary, read_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator


def assemble(folders: Sequence[Path], folder: Path) -> None:
    """Copies finished models into a new folder, complete or not at all; of an ensemble each member is copied.

    Args:
        folders: of the models, which read and write the same symbols.
        folder: receives the ensemble; it does not exist, or is empty.

    Raises:
        BundleError: the folder holds something, a model cannot be loaded, or the models do not fit together.
        OptionError: there is one model alone.

    """
    loaded = [load_bundle(each) for each in folders]
    members = [member for bundle in loaded for member in bundle.members or (bundle,)]
    if len(members) < 2:
        raise OptionError(f"--ensemble: expected at least two models, got {members[0].path} alone; name another")
    ensemble_of(folder, tuple(members))
    with new_folder(folder, "the ensemble", "give another --model") as beside:
        names = [f"member-{number}" for number, _ in enumerate(members, 1)]
        for name, member in zip(names, members, strict=True):
            (beside / name).mkdir()
            for part in (*member.record["sha256"], CONFIG):
                shutil.copyfile(member.path / part, beside / name / part)
        bundle = join_members(beside, names)
        if bundle.kind == LANGUAGE_MODEL:
            canary = choose_text_canary(LanguageModel(bundle))
        else:
            entries = (entry for member in members for entry in read_canary(member.path / CANARY))
            canary = choose_canary(Translator(bundle), list(dict.fromkeys(entry["source"] for entry in entries)))
        save_bundle(bundle, metrics={}, history=[], canary=canary)
