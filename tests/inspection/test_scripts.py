"""What is said of a script before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.sources import Sources
from tuner.base.errors import SpecError
from tuner.inspection import Inspection
from tuner.inspection.scripts import is_keras_loop
from tuner.spec import load_spec
from tuner.spec.changes import changes_between
from tuner.spec.loading import spec_from_mapping
from tuner.storage import SweepFolder

GOOD: dict[str, Any] = {
    "name": "script",
    "objective": {"metric": "loss", "mode": "min"},
    "num_trials": 2,
    "epochs": {"max": 4},
    "space": {"lr": {"low": 0.1, "high": 0.5}},
}
LOOPS = """
import helper

def main(params, report): ...
def with_checkpoint(settings, tell, checkpoint): ...
def of_nothing(): ...
def of_keywords(params, report, *, more): ...
def turned(report, params): ...
async def later(params, report): ...
def yielding(params, report): yield 1
class Loop:
    def __call__(self, params, report): ...
instance = Loop()
part = __import__("functools").partial(with_checkpoint, checkpoint=None)
"""


def problems(folder: Path, **changes: Any) -> list[str]:
    spec = spec_from_mapping({**GOOD, **changes}, folder=folder, is_new=True)
    return Inspection(spec, is_tried=True, works_in=str(folder)).result().problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(LOOPS)
    (tmp_path / "helper.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("name", ["main", "with_checkpoint", "instance", "part"])
def test_a_loop_needs_no_training_parameters(folder: Path, name: str) -> None:
    spec = spec_from_mapping({**GOOD, "trainable": f"./train.py:{name}"}, folder=folder, is_new=True)
    found = Inspection(spec, is_tried=True, works_in=str(folder)).result()
    assert (found.problems, found.is_script, found.path) == ([], True, "script")
    assert {"train.py", "helper.py"} <= set(found.imported)
    assert list(found.resolve(spec, "x").space) == ["lr"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trainable": "./train.py:of_nothing"}, "of_nothing must take (params, report)"),
        ({"trainable": "./train.py:of_keywords"}, "of_keywords must take (params, report)"),
        (
            {"trainable": "./train.py:main", "feasible": "batch_size < 100"},
            "feasible: must name parameters of the space, but got 'batch_size'; known: lr",
        ),
        (
            {"trainable": "./train.py:main", "search": {"points": [{"lr": 0.2, "batch_size": 8}]}},
            "search.points[0].batch_size: the space has no such parameter",
        ),
        ({"trainable": "./train.py:turned"}, "turned must take (params, report), in this order"),
        ({"trainable": "./train.py:later"}, "later must be a plain function, but is an async one"),
        ({"trainable": "./train.py:yielding"}, "yielding must call report(epoch, metrics), but has a yield"),
        ({"trainable": "./train.py:mian"}, "did you mean main?"),
        ({"trainable": "./train.py:main", "data": "digits"}, "data: has no effect, as a script reads its data itself"),
        ({"trainable": "./train.py:main", "precision": "mixed_bfloat16"}, "precision: has no effect on a script"),
        ({"trainable": "./train.py:main", "deterministic": True}, "deterministic: has no effect on a script"),
        ({"trainable": "./train.py:main", "folds": 3}, "folds: has no effect on a script"),
        ({"trainable": "./train.py:main", "space": {"epochs": {"choices": [9]}}}, "must not be above epochs.max (4)"),
        ({"command": ["pyton", "train.py"]}, "command[0]: must be a program, but there is none: 'pyton'"),
        (
            {"command": ["python", "trian.py"]},
            "command[1]: must be a file beside the spec, but there is none: trian.py",
        ),
    ],
)
def test_what_is_wrong_with_a_script_is_told(folder: Path, changes: dict[str, Any], text: str) -> None:
    found = problems(folder, **changes)
    assert len(found) == 1 and text in found[0]


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("val_loss +", "must be an expression, but its syntax is wrong at character 11 (the end)"),
        ("val_loss^2", "write ** for a power"),
        ("3 * 2", "must have a metric in it, but got '3 * 2'"),
        ("mean(loss)", "must have no functions but min"),
        ("val/loss-2", ""),
        ("val loss", ""),
        ("loss + 2 * `val loss`", ""),
    ],
)
def test_an_objective_that_is_nearly_an_expression_is_a_warning(folder: Path, metric: str, text: str) -> None:
    changes = {"trainable": "./train.py:main", "objective": {"metric": metric, "mode": "min"}}
    spec = spec_from_mapping({**GOOD, **changes}, folder=folder, is_new=True)
    found = Inspection(spec, is_tried=True, works_in=str(folder)).result()
    warnings = [warning for warning in found.warnings if warning.startswith("objective.metric: ")]
    assert found.problems == [] and len(warnings) == bool(text)
    assert all(text in warning and warning.endswith("; it is taken as the name of a metric") for warning in warnings)


def test_a_parameter_that_a_command_does_not_name_is_a_warning(folder: Path) -> None:
    spec = spec_from_mapping({**GOOD, "command": "python train.py"}, folder=folder, is_new=True)
    assert spec.trainable == f"command:{folder / 'train.py'}"
    found = Inspection(spec, works_in=str(folder)).result()
    assert found.warnings == ["space.lr: is not in the command, which may read it from $TUNER_PARAMS"]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            ["python", "--lr", "{lrr}"],
            "command[2]: must be a parameter of the space, but got {lrr}; did you mean 'lr'?",
        ),
        ([], "command: must not be empty"),
        ("a 'b", "command: must be a program and its arguments, but its quotes do not match"),
        (["{lr}"], "command[0]: must be a program, without braces"),
        (["a", "postgresql://me:hunter22@db/x"], "command[1]"),
    ],
)
def test_a_command_is_checked_with_the_spec(command: Any, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**GOOD, "command": command}, is_new=True)
    assert text in str(caught.value)


def test_a_command_stands_for_the_trainable(folder: Path) -> None:
    with pytest.raises(SpecError, match="trainable: must be left out where command is given, but got 'digits'"):
        spec_from_mapping({**GOOD, "command": ["a"], "trainable": "digits"})
    spec = spec_from_mapping({**GOOD, "command": ["sh", "-c", "echo ${HOME} {{lr}} {lr}\nexit", 3]}, folder=folder)
    assert spec.command == ["sh", "-c", "echo ${HOME} {{lr}} {lr}\nexit", "3"]
    assert spec_from_mapping(spec.resolved()) == spec


def test_a_checkpoint_of_a_script_is_a_checkpoint(tmp_path: Path) -> None:
    from tuner.storage.names import is_checkpoint_path

    path = SweepFolder.at(str(tmp_path)).checkpoint(3, 1, 2, "best", ".tar")
    assert is_checkpoint_path(path) and path.endswith(".tar")


def test_a_spec_file_may_have_a_command(folder: Path) -> None:
    text = "\n".join(f"{key}: {value}" for key, value in GOOD.items()).replace("'", "")
    (folder / "sweep.yaml").write_text(f'{text}\ncommand: [python, train.py, --lr, "{{lr}}"]\n')
    assert load_spec(folder / "sweep.yaml").command == ["python", "train.py", "--lr", "{lr}"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("import keras", True),
        ("def main(params, report):\n    import tensorflow as tf", True),
        ("from tensorflow.keras import layers", True),
        ("import keras_hub", True),
        ("import numpy  # keras", False),
        ("import keras\nfrom keras.wrappers import SKLearnClassifier", False),
        ("import helper", True),
    ],
)
def test_a_loop_needs_keras_if_its_code_imports_it(text: str, is_one: bool) -> None:
    files = {"train.py": text.encode(), **({"helper.py": b"import keras"} if "helper" in text else {})}
    assert is_keras_loop("/code/train.py:main", Sources("train.py", files)) is is_one
    assert not is_keras_loop("command:/code/train.py", Sources("train.py", files))


@pytest.mark.parametrize("what", [{"trainable": "./train.py:main"}, {"command": ["python", "train.py", "{lr}"]}])
def test_a_script_has_no_models_of_tuner_s(folder: Path, what: dict[str, Any]) -> None:
    def mismatches(**tracking: Any) -> list[str]:
        spec = spec_from_mapping({**GOOD, **what, "tracking": tracking}, folder=folder, is_new=True)
        found = Inspection(spec, is_tried=True, works_in=str(folder)).result()
        assert found.problems == []
        if not found.of_new().problems:
            resolved = found.resolve(spec, "x")
            assert resolved.tracking.log_models == "none" and changes_between(resolved.resolved(), spec, 0, "x") == {}
        return found.of_new().problems

    assert mismatches(experiment="e") == mismatches(log_models="none") == []
    for way in ("best", "kept"):
        [problem] = mismatches(log_models=way)
        assert problem.startswith("tracking.log_models: has no effect on a script") and f"got '{way}'" in problem
