"""Imports run one way, and each foreign framework stands behind one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

ORDER = [
    "base", "processes", "sweep", "storage", "spec", "policy", "analysis", "inspection", "probe", "report", "recording",
    "engine", "worker", "backend", "review", "live", "cluster", "api", "cli",
]  # fmt: skip
"""Of tuner's rooms: each imports only those before it."""

ONLY_IN = {
    "ray": ("tuner/backend/", "tuner/cluster/"),
    "mlflow": "tuner/recording/",
    "hyperopt": "tuner/policy/",
    "matplotlib": "tuner/report/",
    "altair": "tuner/report/",
    "vl_convert": "tuner/report/",
    "jinja2": "tuner/report/",
    "starlette": "tuner/live/",
    "uvicorn": "tuner/live/",
    "tensorflow": ("trainables/", "tuner/worker/training.py"),
    "keras": ("trainables/", "tuner/api/looking.py", "tuner/api/sweep.py"),  # for types alone
    "typer": "tuner/cli/",
    "rich": ("tuner/cli/", "tuner/api/console.py", "tuner/api/terminal.py"),
    "IPython": "tuner/api/notebook.py",
    "pandas": ("tuner/api/frames.py", "tuner/api/sweep.py", "trainables/reading/", "trainables/columns/"),
    "pyarrow": "trainables/reading/tables.py",
    "ruamel": ("tuner/spec/", "tuner/cluster/"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "tuner")


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_rooms_import_only_what_stands_above_them() -> None:
    wrong = []
    for path in files("tuner"):
        name = str(path.relative_to(ROOT))
        room = path.relative_to(ROOT / "tuner").parts[0].removesuffix(".py")
        for module in imports(path):
            other = module.split(".")[1] if module.startswith("tuner.") else room
            if other != room and room not in ("__init__", "best"):
                assert other in ORDER and room in ORDER, f"{name}: {other} or {room} has no place in the order"
                if ORDER.index(other) > ORDER.index(room):
                    wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_each_framework_stands_behind_one_door() -> None:
    wrong = []
    for path in (*files("tuner"), *files("trainables")):
        name = str(path.relative_to(ROOT))
        for module in imports(path):
            doors = ONLY_IN.get(module.split(".")[0])
            if doors is not None and not name.startswith(doors):
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_trainables_know_nothing_of_tuner() -> None:
    assert [str(path) for path in files("trainables") for module in imports(path) if module.startswith("tuner")] == []
