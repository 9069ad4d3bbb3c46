"""Specs, checkpoints and data that somebody else wrote: read as data, never run."""

from __future__ import annotations

import ast
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainables.contract import DataError
from trainables.data import load
from tuner.base.errors import UsageError
from tuner.review.verification.weights import read_checkpoint_file
from tuner.spec import load_spec

ROOT = Path(__file__).parents[1]
PICKLING = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
OWN_CHILDS = {
    "tuner/inspection/__main__.py",
    "tuner/inspection/background.py",
    "trainables/scripts/child.py",
    "trainables/scripts/forker.py",
    "trainables/scripts/launching.py",
    "tuner/processes/wire.py",
    "tuner/processes/shared.py",
    "tuner/probe/child.py",
    "tuner/probe/probing.py",
}
"""A process hands something to the one that started it, or that it starts, in a file that is its user's alone, or
through a socket that answers this user alone."""
AS_CODE = {"trainables/learned.py"}
"""What `load_data` learned is read as the trainable's code is: only if it is what the journal says."""


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.mark),))


def traps(mark: Path, names: tuple[str, ...]) -> Iterator[bytes]:
    """A pickle by itself, arrays of objects, and one beside sound arrays."""
    import pickle

    bare = pickle.dumps(Trap(mark))
    yield bare
    objects = np.empty(1, object)
    objects[0] = Trap(mark)
    for trapped in names:
        file = io.BytesIO()
        np.savez(file, **{name: objects if name == trapped else np.zeros((4, 2), "float32") for name in names})
        yield file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{names[0]}.npy", bare)
    yield file.getvalue()


def test_the_traps_would_spring(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    _, second, *_ = traps(mark, ("a",))
    np.load(io.BytesIO(second), allow_pickle=True)["a"]
    assert mark.exists()


def test_checkpoints_are_read_without_unpickling(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for data in traps(mark, ("header", "state_0", "best_0")):
        assert read_checkpoint_file("p", data).error
        assert not mark.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_reads_checkpoints_without_unpickling(tmp_path: Path) -> None:
    from trainables.training.checkpoint import CheckpointError, read_checkpoint

    mark = tmp_path / "mark"
    for data in traps(mark, ("header", "state_0", "best_0")):
        with pytest.raises(CheckpointError):
            read_checkpoint(data, [], 0)
        assert not mark.exists()


def test_data_is_read_without_unpickling(tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "data.npz"
    for data in traps(mark, ("x_train", "y_train")):
        path.write_bytes(data)
        with pytest.raises(DataError):
            load(str(path))
        assert not mark.exists()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.mkdir [{}]", "!!python/object/new:os.mkdir [{}]", "!Trap {}"]
)
@pytest.mark.parametrize("where", ["{}", "name: {}", "space: {{a: {}}}", "{}: 1", "name: s\nspace: [*a]\nx: &a {}"])
def test_specs_are_read_with_a_safe_loader(tmp_path: Path, tag: str, where: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / "spec.yaml"
    path.write_text(where.format(tag.format(mark)))
    with pytest.raises(UsageError) as refused:
        load_spec(path)
    assert not mark.exists() and len(str(refused.value).splitlines()) == 1
    path.write_text("name: s\n")
    with pytest.raises(UsageError):
        load_spec(path, [f"name={tag.format(mark)}"])
    assert not mark.exists()


def test_nothing_else_can_run_what_it_reads() -> None:
    found = []
    for path in sorted((*(ROOT / "tuner").rglob("*.py"), *(ROOT / "trainables").rglob("*.py"))):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if PICKLING & {module.split(".")[0] for module in modules} and name not in OWN_CHILDS | AS_CODE:
                found.append(f"{name}: imports {modules}")
            if isinstance(node, ast.Call) and (fault := _fault(node)):
                found.append(f"{name}:{node.lineno}: {fault}")
    assert found == []


def _fault(call: ast.Call) -> str:
    """What is wrong with a call that reads something; empty if nothing."""
    name, options = ast.unparse(call.func), {option.arg: ast.unparse(option.value) for option in call.keywords}
    if name in ("eval", "exec", "compile"):
        return f"{name}()"
    if name in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
        return "np.load without allow_pickle=False"
    if name.endswith("load_model") and options.get("safe_mode") != "True":
        return "a Keras model may hold code"
    if name.endswith("YAML") and options.get("typ") in ("'unsafe'", '"unsafe"'):
        return "an unsafe YAML loader"
    return ""
