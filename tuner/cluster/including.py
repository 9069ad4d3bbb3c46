"""What `--include` adds to the files that travel with a sweep, and where the code finds it there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tuner.base.secrets import is_secret_file
from tuner.cluster.launched import SPEC
from tuner.inspection.provenance.beside import files_below
from tuner.inspection.work_folder import SHIPPED_CODE

SECRET = "its name is that of a secret"
_TAKEN = ("tuner", "trainables", SHIPPED_CODE, SPEC)
"""Names in the job's working directory that are ours."""


def included(include: Iterable[str], roots: tuple[Path, ...]) -> tuple[set[Path], list[str]]:
    """The files that the user adds, and what is wrong with them."""
    added: set[Path] = set()
    problems = []
    for written in include:
        places = [Path.cwd() / Path(written).expanduser(), *(folder / written for folder in reversed(roots))]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            problems.append(f"--include {written}: must be a file or a folder, but there is none")
            continue
        path = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
        if _within(path, roots) is None:
            below = " or ".join(map(str, roots))
            problems.append(f"--include {written}: must lie below {below}; data from elsewhere belong in a bucket")
        elif is_secret_file(name_in(path, roots)):
            problems.append(f"--include {written}: {SECRET}, which is never shipped; use environment variables")
        else:
            added |= {path} if path.is_file() else set(files_below(path))
    return added, problems


def place(files: dict[str, Path], added: Iterable[Path], roots: tuple[Path, ...]) -> list[str]:
    """Places included files where the code finds them: beside it and, by relative paths, in the working directory."""
    problems = []
    for path in sorted(added):
        if is_secret_in(path, roots):
            continue
        for folder in roots:
            if not path.is_relative_to(folder):
                continue
            name = path.relative_to(folder).as_posix()
            files.setdefault(f"{SHIPPED_CODE}/{name}", path)
            if folder != roots[-1]:
                continue
            if name.split("/")[0] in _TAKEN:
                problems.append(f"--include {name}: must not begin with {name.split('/')[0]}, which Tuner uses there")
            files.setdefault(name, path)
    return problems


def _within(path: Path, roots: tuple[Path, ...]) -> Path | None:
    return next((folder for folder in roots if path.is_relative_to(folder) and path != folder), None)


def name_in(path: Path, roots: tuple[Path, ...]) -> str:
    folder = _within(path, roots)
    return path.relative_to(folder).as_posix() if folder is not None else path.name


def is_secret_in(path: Path, roots: tuple[Path, ...]) -> bool:
    return is_secret_file(name_in(path, roots))
