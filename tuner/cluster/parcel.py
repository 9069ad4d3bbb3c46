"""What of a user's files travels to a cluster with a sweep, and what stays behind.

A trainable's file brings what it imports from beside it; a module's class brings its whole package. Files that git
ignores and files whose names are those of secrets stay, unless code imports them; `--include` adds others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainables.scripts.commands import is_command
from tuner.base.errors import UsageError
from tuner.base.secrets import is_secret_file
from tuner.base.text import bytes_text
from tuner.cluster.code_files import code_of, code_of_data, is_installed
from tuner.cluster.ignoring import Ignored
from tuner.cluster.imports import imported_modules, module_name, texts
from tuner.cluster.including import SECRET, included, is_secret_in, name_in, place
from tuner.inspection.work_folder import SHIPPED_CODE
from tuner.spec import SweepSpec
from tuner.spec.loading import file_params
from tuner.spec.space import Constant, Space

_NOISE = {"__pycache__", "node_modules", "mlruns", "mlartifacts", "mlflow.db", "sweeps", "dist", "build", "venv"}
NOT_IMPORTED = "not imported"
_OF_PROJECT = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|(readme|license|changelog)\b.*|makefile|.*requirements.*\.txt|.*\.lock)$"
)


@dataclass(frozen=True)
class Parcel:
    """The files that travel with a sweep, and what is left out."""

    trainable: str
    """As the shipped spec names it."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Place in the job's working directory -> the file here."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Name relative to the code's folder, a folder's with a slash -> why."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameter that names a file -> its place."""
    roots: tuple[Path, ...] = ()
    """The folder of the code, and that of the spec: what lies in them can be included."""

    def shipped(self, spec: SweepSpec) -> SweepSpec:
        """The spec as it travels: it names the user's files by their places."""
        file, _, function = (spec.data or "").rpartition(":")
        place = next((name for name, path in self.files.items() if str(path) == file), None)
        data = f"{place}:{function}" if place is not None else spec.data
        files = {name: Constant(value=place) for name, place in self.params.items()}
        space = Space({**dict(spec.space.items()), **files}) if files else spec.space
        return spec.model_copy(update={"trainable": self.trainable, "data": data, "space": space})

    @property
    def size_bytes(self) -> int:
        """Each file counts once, wherever it is placed."""
        return sum(path.stat().st_size for path in self.here)

    @property
    def here(self) -> set[Path]:
        return set(self.files.values())

    @property
    def largest(self) -> Path:
        return max(self.here, key=lambda path: path.stat().st_size)

    def names(self) -> list[str]:
        """The files as their owner knows them, without the folder that all code lies in."""
        names = (name.removeprefix(f"{SHIPPED_CODE}/") for name in self.files)
        return sorted(dict.fromkeys(names))

    def told(self) -> Iterator[str]:
        """What travels and what does not, in a line each; nothing of a sweep without code of the user's."""
        if not self.files:
            return
        names = self.names()
        yield f"ships {_count(len(names), 'file')}, {bytes_text(self.size_bytes)}: {_listed(names)}"
        if self.left_out:
            reasons: dict[str, list[str]] = {}
            for name, why in self.left_out.items():
                reasons.setdefault(why, []).append(name)
            parts = [f"{_listed(names)} ({why})" for why, names in reasons.items()]
            yield f"left out: {'; '.join(parts)}; --include PATH takes a file or a folder along"

    def as_data(self) -> dict[str, object]:
        """For `--json`."""
        sizes = [{"path": name, "size_bytes": path.stat().st_size} for name, path in sorted(self.files.items())]
        return {"ships": sizes, "left_out": [{"path": name, "why": why} for name, why in self.left_out.items()]}


def parcel_of(
    spec: SweepSpec, include: Iterable[str] = (), beside: Path | None = None, also: Iterable[Path] = ()
) -> Parcel:
    """What travels with a sweep.

    Args:
        spec: with absolute paths.
        include: files and folders that the user adds: relative to the working directory or to `beside`.
        beside: the folder of the spec's file, in which the user's code runs here.
        also: Python files that the code was seen to import.

    Raises:
        UsageError: what is to be included is not there, a secret, or too far away; one line for each problem.
    """
    root, code, trainable = code_of(spec, beside)
    code |= code_of_data(spec, root)
    where = [folder for folder in (root, beside.resolve() if beside is not None else None) if folder is not None]
    roots = tuple(dict.fromkeys(where))
    of_params = _files_of_params(spec)
    params = {param: place for param, (place, _) in of_params.items()}
    if not roots:
        return Parcel(spec.trainable, dict(of_params.values()), params=params)
    seen = {path for path in also if root is not None and path.is_relative_to(root)}
    kept, left_out = _sorted_out(root, code | seen, seen) if root is not None else (set(), {})
    files = {f"{SHIPPED_CODE}/{path.relative_to(root).as_posix()}": path for path in sorted(kept) if root is not None}
    added, problems = included(include, roots)
    run_here = kept if is_command(spec.trainable) else set()  # its words name files of the working directory
    problems += place(files, added | run_here, roots)
    if problems:
        raise UsageError("\n".join(problems))
    left_out |= {name_in(path, roots): SECRET for path in added if is_secret_in(path, roots)}
    left_out = {name: why for name, why in left_out.items() if f"{SHIPPED_CODE}/{name}" not in files}
    for folder in (folder for folder in roots if not is_installed(folder)):
        left_out |= _beside(folder, set(files.values()), left_out, spec)
    return Parcel(trainable, files | dict(of_params.values()), left_out, params, roots)


def _files_of_params(spec: SweepSpec) -> dict[str, tuple[str, Path]]:
    """Of each parameter that names a file of this machine: the file's place, and the file."""
    fixed, found = spec.space.fixed, {}
    for name in file_params(spec.trainable):
        path = Path(str(fixed.get(name) or ""))
        if path.is_absolute() and path.is_file():
            found[name] = f"{SHIPPED_CODE}/{name}-{path.name}", path
    return found


def names_in_code(parcel: Parcel) -> dict[str, str]:
    """What stays behind although the shipped code names it in a text -> the file that does."""
    found: dict[str, str] = {}
    for path in parcel.here:
        for text in texts(path) if path.suffix == ".py" else ():
            for name in parcel.left_out:
                if _is_named(name.rstrip("/"), text.removeprefix("./").rstrip("/")):
                    found.setdefault(name, path.name)
    return found


def _is_named(name: str, text: str) -> bool:
    return text in (name, name.rpartition("/")[2]) or text.startswith(f"{name}/")


def _sorted_out(root: Path, code: set[Path], seen: set[Path]) -> tuple[set[Path], dict[str, str]]:
    """The files that travel; those that do not, and why."""
    ignored = Ignored(root)
    imported: set[str] | None = None
    kept: set[Path] = set()
    left_out: dict[str, str] = {}
    for path in sorted(filter(os.path.isfile, code)):
        name = path.relative_to(root).as_posix()
        if is_secret_file(name):
            left_out[name] = SECRET
        elif by := ignored.by(path):
            imported = imported if imported is not None else imported_modules(root, code)
            if path in seen or path.parent == root or (path.suffix == ".py" and module_name(name) in imported):
                kept.add(path)
            else:
                left_out[name] = f"ignored by {by}"
        elif not any(part.startswith(".") for part in Path(name).parts[:-1]):
            kept.add(path)
    return kept, left_out


def _beside(folder: Path, shipped: set[Path], known: Mapping[str, str], spec: SweepSpec) -> dict[str, str]:
    """What lies beside the code and stays: of a folder's first level."""
    found: dict[str, str] = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return found
    ignored = Ignored(folder)
    for path in entries:
        name = path.name + ("/" if path.is_dir() else "")
        is_hidden = path.name.startswith(".") and not is_secret_file(path.name)
        is_noise = path.name in _NOISE or path.suffix in (".pyc", ".egg-info") or str(path) == spec.storage
        if (
            is_hidden
            or is_noise
            or is_of_project(path)
            or name in known
            or any(one == path or one.is_relative_to(path) for one in shipped)
        ):
            continue
        by = ignored.by(path)
        found[name] = SECRET if is_secret_file(path.name) else f"ignored by {by}" if by else NOT_IMPORTED
    return found


def is_of_project(path: Path) -> bool:
    """Whether a file describes a project or a sweep: no code opens it in training."""
    if path.suffix in (".yaml", ".yml"):
        return is_spec(path)
    return bool(_OF_PROJECT.match(path.name.lower()))


def is_spec(path: Path) -> bool:
    """Whether a file of YAML is a sweep's spec, which is shipped by itself."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return "trainable:" in text and "objective:" in text


def _listed(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
