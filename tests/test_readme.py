"""The README tells the truth: its wrong specs give its messages, its commands and its files exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tuner.base.errors import SpecError
from tuner.inspection import inspect, load_checked
from tuner.spec import SweepSpec, dump_yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
WRONG = re.findall(r"```yaml\n(.*?)```\n```text\n(.*?)```", README.split("## When something is wrong")[1], re.S)

GOOD: dict[str, Any] = {
    "name": "sweep",
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "num_trials": 4,
    "epochs": {"max": 9},
    "space": {"learning_rate": 0.01},
}


def test_there_are_five_wrong_specs() -> None:
    assert len(WRONG) == 5


@pytest.mark.parametrize(("wrong", "messages"), WRONG)
def test_a_wrong_spec_of_the_readme_gives_its_messages_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, messages: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(dump_yaml({**GOOD, **YAML(typ="safe", pure=True).load(wrong)}))
    with pytest.raises(SpecError) as caught:
        inspect_all(load_checked(Path("sweep.yaml")))
    assert str(caught.value) == messages.rstrip("\n")


def inspect_all(spec: SweepSpec) -> None:
    """What every command does with a spec that is valid by itself."""
    inspect(spec).resolve(spec, "sweep.yaml")


def test_every_command_is_documented() -> None:
    from typer.main import get_command

    from tuner.cli.app import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    table = README.split("## Commands")[1].split("##")[0]
    assert [name for name in commands if not re.search(rf"`(tuner )?{name}\b", table)] == []


def test_every_field_of_a_spec_is_documented() -> None:
    fields = README.split("All fields of a spec")[1].split("</details>")[0]
    assert [name for name in SweepSpec.model_fields if f"| `{name}` |" not in fields] == []


def test_the_tree_names_what_exists() -> None:
    tree = README.split("## What is where")[1].split("```")[1]
    names = re.findall(r"[\w/]+(?:\.py|\.yaml|/)(?!\w)", tree)
    tops = [top for top in ROOT.iterdir() if top.name not in (".venv", ".git")]
    known = {path.name for top in tops for path in (top, *top.rglob("*"))}
    assert names and [n for n in names if Path(n).name not in known and n != "benchmarks/"] == []


def test_the_example_of_a_trainable_fits_its_spec(tmp_path: Path) -> None:
    blocks = re.findall(r"```(?:yaml|python)\n(.*?)```", README.split("## A sweep of your own")[1], re.S)
    yaml_text, python_text = blocks[:2]
    (tmp_path / "sweep.yaml").write_text(yaml_text)
    spec = load_checked(tmp_path / "sweep.yaml")
    assert spec.trainable == f"{tmp_path / 'my_model.py'}:MyModel"
    assert len([line for line in python_text.splitlines() if line.strip() and not line.startswith("#")]) <= 20
    compile(python_text, "my_model.py", "exec")
    (tmp_path / "points.yaml").write_text(f"{yaml_text}\n{blocks[2]}")
    assert len(load_checked(tmp_path / "points.yaml").search.points) == 1
