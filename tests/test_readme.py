"""The documents tell the truth: specs give the messages shown, commands, fields, files and links exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from trainables.contract import TrainingParams
from trainables.settings import NAMES
from tuner.base.errors import SpecError
from tuner.inspection import inspect, load_checked
from tuner.spec import SweepSpec, dump_yaml, spec_from_mapping

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SPEC = (ROOT / "tuner" / "spec" / "README.md").read_text()
WRONG = re.findall(r"```yaml\n(.*?)```\n```text\n(.*?)```", SPEC.split("## When something is wrong")[1], re.S)

GOOD: dict[str, Any] = {
    "name": "sweep",
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "num_trials": 4,
    "epochs": {"max": 9},
    "space": {"learning_rate": 0.01},
}


def documents() -> list[Path]:
    """Every document that git tracks, or would."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [path for name in sorted({*listed}) if (path := ROOT / name).exists()]


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its rank."""
    rank = heading.split()[0]
    return text.split(f"\n{heading}\n")[1].split(f"\n{rank} ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_there_are_five_wrong_specs() -> None:
    assert len(WRONG) == 5


@pytest.mark.parametrize(("wrong", "messages"), WRONG)
def test_a_wrong_spec_of_the_documents_gives_its_messages_word_for_word(
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
    table = section(README, "## Commands")
    visible = [name for name, command in commands.items() if not command.hidden]
    assert [name for name in visible if not re.search(rf"`tuner {name}\b", table)] == []
    assert [name for name in re.findall(r"`tuner (\w+)", table) if name not in commands] == []


def test_every_field_of_a_spec_is_documented() -> None:
    fields = section(SPEC, "## Fields")
    assert [name for name in SweepSpec.model_fields if f"| `{name}` |" not in fields] == []
    for name, field in SweepSpec.model_fields.items():
        for inner in getattr(field.annotation, "model_fields", {}):
            assert re.search(rf"\b{inner}\b", SPEC), f"{name}.{inner}"


def test_every_training_parameter_is_documented() -> None:
    table = section((ROOT / "trainables" / "README.md").read_text(), "## Training parameters")
    assert [name for name in TrainingParams.model_fields if f"`{name}`" not in table] == []


def test_the_messages_that_are_explained_are_still_told() -> None:
    table = section((ROOT / "tuner" / "storage" / "README.md").read_text(), "## What messages mean")
    source = "\n".join(path.read_text() for path in (ROOT / "tuner").rglob("*.py"))
    parts = [
        part.strip(" :,") for message in re.findall(r"^\| `([^`]+)` \|", table, re.M) for part in message.split("…")
    ]
    assert len(parts) >= 5
    assert [part for part in parts if len(part) > 8 and part not in source] == []


def test_the_examples_of_the_readme_fit_together(tmp_path: Path) -> None:
    own = section(README, "## A sweep of your own")
    [yaml_text], [python_text] = blocks(own, "yaml"), blocks(own, "python")
    (tmp_path / "sweep.yaml").write_text(yaml_text)
    spec = load_checked(tmp_path / "sweep.yaml")
    assert spec.trainable == f"{tmp_path / 'my_model.py'}:MyModel"
    compile(python_text, "my_model.py", "exec")


def test_the_points_of_the_documents_fit_their_spec(tmp_path: Path) -> None:
    spec, points = blocks(SPEC, "yaml")[:2]
    (tmp_path / "points.yaml").write_text(f"{spec}\n{points}")
    assert len(load_checked(tmp_path / "points.yaml").search.points) == 1


def test_what_people_from_elsewhere_are_told_to_write_is_valid() -> None:
    """Whatever is a piece of a spec in the right column of the page; a parameter alone stands in a space."""
    page = (ROOT / "tuner" / "coming_from.md").read_text()
    cells = [line.split(" | ")[-1] for line in page.splitlines() if line.startswith("| `")]
    tried = 0
    for code in (code for cell in cells for code in re.findall(r"`(\w[^`]*: .+?)`", cell) if "…" not in code):
        written = YAML(typ="safe", pure=True).load(code)
        name = next(iter(written))
        if name in ("units", "rate", "act", "norm", *NAMES):
            written = {"space": {**GOOD["space"], **written}}
        elif name in ("when", "scale", "step", "mode"):
            continue
        merged = {key: {**_section(GOOD.get(key)), **_section(written[key])} or written[key] for key in written}
        spec_from_mapping({**GOOD, **merged})
        tried += 1
    assert tried > 20


def _section(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def test_the_documents_for_everybody_are_short() -> None:
    sizes = {name: (ROOT / name).stat().st_size for name in ("README.md", "ARCHITECTURE.md")}
    assert [name for name, size_bytes in sizes.items() if size_bytes > 10_000] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def anchors(document: Path) -> set[str]:
    """Of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    if document.name == "CHANGELOG.md":
        return
    named = re.findall(r"`((?:tuner|trainables|tests|deploy)/[\w./-]+|[\w/]+\.py)(?::[^`]*)?`", text)
    known = {str(path.relative_to(ROOT)) for path in sources()}
    wrong = [
        name
        for name in named
        if name not in EXAMPLES and not any(f"/{path}".endswith(f"/{name.rstrip('/')}") for path in known)
    ]
    assert wrong == []


EXAMPLES = ("my_model.py", "train.py")
"""Files of a user."""


def sources() -> list[Path]:
    tops = [ROOT / name for name in ("tuner", "trainables", "tests", "deploy")]
    return [path for top in tops for path in (top, *top.rglob("*")) if "__pycache__" not in path.parts]


def test_the_rooms_of_the_architecture_are_those_of_the_imports() -> None:
    from tests.test_imports import ORDER

    table = section((ROOT / "ARCHITECTURE.md").read_text(), "## Rooms")
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == ORDER


def test_an_installed_package_has_the_documents_of_its_rooms() -> None:
    from hatchling.builders.wheel import WheelBuilder

    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    rooms = {str(path.relative_to(ROOT)) for path in documents() if path.parts[len(ROOT.parts)] in PACKAGES}
    assert rooms and rooms - packed == set()


PACKAGES = ("tuner", "trainables")
