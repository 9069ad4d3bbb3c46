"""A resume: it goes on with what was kept, says what differs, and takes today's code and data only if told to."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.base.errors import StorageError, UsageError
from tuner.base.versions import versions
from tuner.inspection.provenance import (
    Accepted,
    TrainingCode,
    copied_files,
    read_code,
    resumed,
    resuming,
    starting,
    write_code,
)
from tuner.inspection.provenance.code import collect
from tuner.inspection.provenance.reading import damages, malformed, notes, sources_of
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot, SweepFolder, delete
from tuner.storage.journal import create_sweep, read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

DATA = {"source": {"kind": "none"}, "arrays": {"train.x": {"shape": [3], "blake2b": "a", "whole": True}}}
OTHER_DATA = {"source": {"kind": "none"}, "arrays": {"train.x": {"shape": [3], "blake2b": "b", "whole": True}}}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's file, with one beside it that it imports."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "helper.py").write_text("SCALE = 1\n")
    (tmp_path / "code" / "mine.py").write_text("import helper\nWIDTH = 4\n")
    return tmp_path / "code" / "mine.py"


def begin(tmp_path: Path, mine: Path, told: list[str], **fields: Any) -> SweepFolder:
    """A sweep that has just begun."""
    spec = make_spec(trainable=f"{mine}:Mine")
    begins = starting(spec.trainable, told.append)
    known = {"code": begins.manifest, "data": DATA, "versions": versions(), **fields}
    folder = SweepFolder(tmp_path / "sweeps" / "test")
    started = ev.SweepStarted(spec=spec.resolved(), seed=1, sweep_id="0" * 32, **known)
    files = copied_files(begins.new) if known["code"] else {}
    create_sweep(folder, dump_yaml(spec.resolved()), started, files=files).close()
    return folder


def folded(folder: SweepFolder, *more: ev.AnyEvent) -> Sweep:
    return fold([*read_events(folder), *more])


def resume(
    folder: SweepFolder, sweep: Sweep, *, code: bool = False, data: bool = False
) -> tuple[TrainingCode, list[str]]:
    told: list[str] = []
    return resuming(folder, sweep, Accepted(code, data), told.append), told


def test_an_untouched_sweep_goes_on_in_silence(tmp_path: Path, mine: Path) -> None:
    told: list[str] = []
    folder = begin(tmp_path, mine, told)
    goes_on, said = resume(folder, folded(folder))
    assert told == said == [] and goes_on.new is None and goes_on.sources is not None
    assert goes_on.sources.files["helper.py"] == b"SCALE = 1\n"
    event = resumed(goes_on, folded(folder), {}, DATA, Accepted(), told.append)
    assert event == ev.SweepResumed(changes={}) and told == []


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda mine: mine.write_text("import helper\nWIDTH = 8\n"), "mine.py is changed"),
        (lambda mine: mine.write_text("import helper\nWIDTH = 4 \n"), "mine.py is changed"),
        (lambda mine: mine.with_name("helper.py").write_text("SCALE = 100\n"), "helper.py is changed"),
        (Path.unlink, "mine.py is gone"),
        (lambda mine: mine.with_name("helper.py").unlink(), "helper.py is gone"),
        (lambda mine: mine.rename(mine.with_name("other.py")), "mine.py is gone"),
    ],
)
def test_an_edit_is_told_and_not_taken(tmp_path: Path, mine: Path, edit: Callable[[Path], object], what: str) -> None:
    folder = begin(tmp_path, mine, [])
    edit(mine)
    goes_on, [said] = resume(folder, folded(folder))
    assert said.startswith(f"code: {what} since the sweep was trained with it")
    assert said.endswith("it goes on with the code that it was started with; with_changed_code=True takes today's")
    assert goes_on.sources is not None and goes_on.new is None
    assert goes_on.sources.files == {"mine.py": b"import helper\nWIDTH = 4\n", "helper.py": b"SCALE = 1\n"}


def test_changed_code_is_taken_when_asked_for_and_kept_beside_the_other(tmp_path: Path, mine: Path) -> None:
    folder = begin(tmp_path, mine, [])
    mine.write_text("import helper\nWIDTH = 8\n")
    sweep = folded(folder)
    goes_on, [said] = resume(folder, sweep, code=True)
    assert "\n  -WIDTH = 4\n  +WIDTH = 8\n" in said and "it goes on with the changed code" in said
    event = resumed(goes_on, sweep, {}, DATA, Accepted(code=True), lambda text: None)
    assert goes_on.new is not None and event.code == goes_on.new.manifest != sweep.code
    write_code(folder, goes_on.new)
    assert len(os.listdir(folder.path / "code")) == 2
    again = folded(folder, ev.SweepResumed(changes={}, code=event.code, seq=1))
    after, said_then = resume(folder, again)
    assert said_then == [] and after.sources == goes_on.sources and list(damages(folder, again)) == []


def test_changed_code_that_is_not_there_is_refused(tmp_path: Path, mine: Path) -> None:
    folder = begin(tmp_path, mine, [])
    mine.unlink()
    with pytest.raises(UsageError, match=r"^with_changed_code: .*mine\.py:Mine: must be there, but there is no such"):
        resume(folder, folded(folder), code=True)


@pytest.mark.parametrize("damage", ["edited", "removed", "linked", "folder linked"])
def test_damaged_copies_are_refused_and_mended_by_the_same_files(tmp_path: Path, mine: Path, damage: str) -> None:
    folder = begin(tmp_path, mine, [])
    [version] = (folder.path / "code").iterdir()  # type: ignore[union-attr]
    copy = version / "helper.py"
    if damage == "edited":
        copy.write_text("SCALE = 2\n")
    elif damage == "folder linked":
        version.rename(tmp_path / "elsewhere")  # type: ignore[arg-type]
        version.symlink_to(tmp_path / "elsewhere")
    else:
        copy.unlink()
        if damage == "linked":
            copy.symlink_to(mine.with_name("helper.py"))
    rule = "must be the code" if damage in ("edited", "removed") else "is a link"
    with pytest.raises(StorageError, match=rf"code/.*: {rule}"):
        resume(folder, folded(folder))
    assert any(rule in line for line in damages(folder, folded(folder)))
    if damage in ("edited", "removed"):
        goes_on, said = resume(folder, folded(folder), code=True)
        assert goes_on.new is None and said == ["code: is what the sweep was started with"]
        assert list(damages(folder, folded(folder))) == []


def test_changed_code_of_which_no_copy_was_kept_is_refused(tmp_path: Path, mine: Path) -> None:
    helper = mine.with_name("helper.py")
    helper.write_text("API_KEY = 'abcdefgh1234'\n")
    told: list[str] = []
    folder = begin(tmp_path, mine, told)
    assert told == ["code: no copy of helper.py is kept, only a digest: may hold a secret"]
    copies = b"".join(path.read_bytes() for path in Path(folder.url).rglob("*") if path.is_file())
    assert b"WIDTH" in copies and b"abcdefgh1234" not in copies
    goes_on, said = resume(folder, folded(folder))
    assert said == [] and goes_on.sources is not None and set(goes_on.sources.digests) == {"helper.py"}
    helper.write_text("API_KEY = 'abcdefgh1234'\nSCALE = 2\n")
    with pytest.raises(UsageError, match=r"^code: helper\.py in .* no copy was kept \(may hold a secret\)") as refused:
        resume(folder, folded(folder))
    assert "abcdefgh1234" not in str(refused.value)
    assert resume(folder, folded(folder), code=True)[0].new is not None


def test_a_journal_from_before_code_was_kept_is_resumed_and_knows_it_from_then_on(tmp_path: Path, mine: Path) -> None:
    folder = begin(tmp_path, mine, [], code={}, data={}, versions={})
    sweep = folded(folder)
    goes_on, said = resume(folder, sweep)
    event = resumed(goes_on, sweep, {}, DATA, Accepted(), said.append)
    assert said == [] and event.code == collect(f"{mine}:Mine").manifest and event.data == DATA  # type: ignore[union-attr]
    assert event.versions == versions() and not (folder.path / "code").exists()
    assert sources_of(folder, sweep, sweep.best or next(iter(sweep.trials.values()), None) or _trial(), False)[1] == ""


def _trial() -> Any:
    from tuner.sweep import Trial

    return Trial(0, {}, "random")


def test_changed_data_are_refused_unless_they_are_asked_for_or_come_with_changed_code(
    tmp_path: Path, mine: Path
) -> None:
    folder = begin(tmp_path, mine, [])
    sweep = folded(folder)
    goes_on, _ = resume(folder, sweep)
    with pytest.raises(UsageError, match=r"^data: .* but train\.x has other values; .*with_changed_data=True"):
        resumed(goes_on, sweep, {}, OTHER_DATA, Accepted(), lambda text: None)
    told: list[str] = []
    assert resumed(goes_on, sweep, {}, OTHER_DATA, Accepted(data=True), told.append).data == OTHER_DATA
    mine.write_text("WIDTH = 3")
    changed, _ = resume(folder, sweep, code=True)
    assert resumed(changed, sweep, {}, OTHER_DATA, Accepted(code=True), told.append).data == OTHER_DATA
    assert told == [
        "data: train.x has other values; it goes on with the changed data; trials so far are of the others",
        "data: train.x has other values, as the changed code loads them",
    ]
    file = {"kind": "file", "size_bytes": 3, "sha256": "a"}
    sweep.data = {**DATA, "source": file}
    with pytest.raises(UsageError, match=r"the file has 4 bytes, but had 3, train\.x has other values"):
        today = {**OTHER_DATA, "source": {**file, "size_bytes": 4}}
        resumed(changed, sweep, {}, today, Accepted(code=True), told.append)


def test_other_versions_are_told_once(tmp_path: Path, mine: Path) -> None:
    folder = begin(tmp_path, mine, [], versions={**versions(), "keras": "3.14.0"})
    sweep, told = folded(folder), list[str]()
    event = resumed(resume(folder, sweep)[0], sweep, {}, DATA, Accepted(), told.append)
    assert told == [f"versions: keras 3.14.0 -> {versions()['keras']}"] and event.versions == versions()
    sweep.apply(event)
    assert resumed(resume(folder, sweep)[0], sweep, {}, DATA, Accepted(), told.append).versions == {}
    assert len(told) == 1


def trained(trial: int, seq: int) -> list[ev.AnyEvent]:
    metrics: ev.Metrics = {"loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5}
    return [
        ev.TrialSuggested(trial=trial, params={"epochs": 3}, origin="random", seq=seq),
        ev.EpochReported(
            trial=trial, attempt=1, epoch=1, metrics=metrics, epoch_s=1, decision="continue", reason="", seq=seq + 1
        ),
    ]


def test_each_trial_is_of_the_code_that_it_was_trained_with(tmp_path: Path, mine: Path) -> None:
    folder = begin(tmp_path, mine, [])
    before = folded(folder).code
    mine.write_text("import helper\nWIDTH = 8\n")
    goes_on, _ = resume(folder, folded(folder), code=True)
    assert goes_on.new is not None
    write_code(folder, goes_on.new)
    resumed_with = ev.SweepResumed(changes={}, code=goes_on.manifest, data=OTHER_DATA, seq=5)
    events = [*read_events(folder), *trained(0, 1), *trained(1, 3), resumed_with, *trained(2, 6)]
    sweep = fold(events)
    assert [sweep.code_of(trial)["digest"] for trial in sweep.trials.values()] == [
        *(2 * [before["digest"]]),
        goes_on.manifest["digest"],
    ]
    sources, said = sources_of(folder, sweep, sweep.trials[0], False)
    assert sources is not None and sources.files["mine.py"] == b"import helper\nWIDTH = 4\n"
    assert "+WIDTH = 8" in said and "the code that trial 0 was trained with; with_changed_code=True takes" in said
    assert sources_of(folder, sweep, sweep.trials[2], False) == (goes_on.sources, "")
    assert sources_of(folder, sweep, sweep.trials[0], True) == (goes_on.sources, "")
    first, second = str(before["digest"])[:12], goes_on.manifest["digest"][:12]
    assert notes(folder, sweep, events) == [
        f"code: trials 0 to 1 with code {first}; 2 with code {second}; their values are of different programs",
        "data: trials 0 to 1 with the data of event 0; 2 with the data of event 5; their values are not comparable",
    ]
    assert list(malformed(events)) == []


def test_code_is_kept_on_an_object_store_alike(memory_root: str, mine: Path) -> None:
    folder = StorageRoot.resolve(memory_root).sweep("test")
    code = collect(f"{mine}:Mine")
    assert code is not None
    write_code(folder, code)
    assert read_code(folder, code.manifest) == code.sources
    delete(folder.path / "code" / code.manifest["digest"][:12] / "helper.py")
    with pytest.raises(StorageError, match=r"helper\.py: must be the code .* but it is missing"):
        read_code(folder, code.manifest)
    damaged = {**code.manifest, "digest": "../../../secret"}
    with pytest.raises(StorageError, match="its journal must say what code it was trained with, but is damaged there"):
        read_code(folder, damaged)


LOADS = """
import pickle, sys
from pathlib import Path
from trainables.importable import load_importable, look_in

trainable, folder, sources = pickle.load(sys.stdin.buffer)
look_in(folder)
kind = load_importable(trainable, sources)
print(kind.SCALE, kind.TEXT)
"""
OF_PACKAGE = """
from importlib.resources import files
from trainables import Trainable
from .parts.scale import SCALE

class Mine(Trainable):
    SCALE = SCALE
    TEXT = (files(__package__) / "words.txt").read_text()
    def load_data(self): ...
    def build_model(self, params): ...
"""


def loaded(trainable: str, folder: Path, code: TrainingCode) -> str:
    """What a worker has of the class."""
    asked = pickle.dumps((trainable, str(folder), code.sources))
    done = subprocess.run([sys.executable, "-c", LOADS], input=asked, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_an_edited_package_goes_on_as_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "src" / "kept_package"
    (package / "parts").mkdir(parents=True)
    for name, text in (
        ("__init__.py", ""),
        ("model.py", OF_PACKAGE),
        ("parts/scale.py", "SCALE = 1\n"),
        ("words.txt", "a"),
    ):
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    trainable, told = "kept_package.model:Mine", list[str]()
    spec = make_spec(trainable=trainable)
    begins = starting(trainable, told.append)
    folder = SweepFolder(tmp_path / "sweeps" / "test")
    known = {"code": begins.manifest, "data": DATA, "versions": versions()}
    started = ev.SweepStarted(spec=spec.resolved(), seed=1, sweep_id="0" * 32, **known)
    create_sweep(folder, dump_yaml(spec.resolved()), started, files=copied_files(begins.new)).close()
    assert resume(folder, folded(folder)) == (TrainingCode(None), [])
    (package / "parts" / "scale.py").write_text("SCALE = 2\n")
    (package / "words.txt").write_text("b")
    code, [line] = resume(folder, folded(folder))
    assert "parts/scale.py" in line and "started with and today's kept_package/words.txt;" in line
    assert loaded(trainable, tmp_path / "src", code) == "1 b"
    taken, _ = resume(folder, folded(folder), code=True)
    assert loaded(trainable, tmp_path / "src", taken) == "2 b"
    (package / "model.py").unlink()
    with pytest.raises(UsageError, match=r"model\.py is gone|are gone"):
        resume(folder, folded(folder))
