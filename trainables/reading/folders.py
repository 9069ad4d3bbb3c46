"""Folders with a folder of files for each class, maybe within `train`, `validation` and `test`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading import places
from trainables.reading.labels import Labels
from trainables.reading.planning import Plan, Wanted, planned
from trainables.reading.splitting import PARTS, TEST, TRAIN, VALIDATION

Array = np.ndarray[Any, Any]

PART_FOLDERS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}


@dataclass(frozen=True)
class Found:
    """The files of a folder, with their classes and split.

    Attributes:
        name: what the user calls the folder.
        paths: of the files, in the order that the plan counts examples in.
        names: what messages call them.
    """

    name: str
    paths: list[Path]
    names: list[str]
    plan: Plan

    def stamps(self) -> list[tuple[str, int, int]]:
        return [places.stamp(path) for path in self.paths]


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    label: str
    part: int


def find(given: Any, what: str, suffixes: tuple[str, ...], wanted: Wanted) -> Found:
    """The files of a folder by class, and their split.

    Args:
        given: a path or a URL.
        what: the files in the plural, such as images.
        suffixes: of the files that count, in lower case.

    Raises:
        DataError: there are none, a file is empty, there is one class alone, or the split cannot be had.
    """
    name, root = places.folder(given)
    left_out: list[str] = []
    files = list(_files(name, root, what, suffixes, left_out))
    for part in (VALIDATION, TEST):
        own = wanted.own(part)
        if own is not None:
            own_name, own_root = places.folder(own)
            if any(file.part == part for file in files):
                raise DataError(f"{name}: {PARTS[part]}={own} has no effect, as the folder has {PARTS[part]} files")
            files += list(_of_classes(own_name, own_root, part, what, suffixes, left_out))
    names = sorted({file.label for file in files})
    numbers = {label: number for number, label in enumerate(names)}
    classes = np.array([numbers[file.label] for file in files], np.int32)
    for file in files:
        if file.path.stat().st_size == 0:
            raise DataError(f"{file.name}: must be one of the {what}, but is empty")
    given_parts = np.array([file.part for file in files], np.uint8)
    plan = planned(name, len(files), Labels(classes, classes, tuple(names), _other_files(name, what, left_out)),
                   wanted, given_parts)  # fmt: skip
    return Found(name, [file.path for file in files], [file.name for file in files], plan)


def _files(name: str, root: Path, what: str, suffixes: tuple[str, ...], left_out: list[str]) -> Iterator[_File]:
    inside = _folders(root)
    parts = {folder: PART_FOLDERS[folder.name.lower()] for folder in inside if folder.name.lower() in PART_FOLDERS}
    if TRAIN not in parts.values() or len(parts) < 2:
        yield from _of_classes(name, root, TRAIN, what, suffixes, left_out)
        return
    if others := [folder.name for folder in inside if folder not in parts]:
        raise DataError(f"{name}: must hold nothing but train, validation and test, but holds {', '.join(others)}, too")
    for folder, part in parts.items():
        yield from _of_classes(f"{name.rstrip('/')}/{folder.name}", folder, part, what, suffixes, left_out)


def _of_classes(
    name: str, root: Path, part: int, what: str, suffixes: tuple[str, ...], left_out: list[str]
) -> Iterator[_File]:
    classes = _folders(root)
    rule = f"{name}: must hold a folder of {what} for each class"
    if not classes:
        count = sum(path.name.lower().endswith(suffixes) for path in places.walk(root))
        raise DataError(f"{rule}, but holds {f'{count} {what} and no folders' if count else 'no folders'}")
    if len(classes) == 1:
        raise DataError(f"{rule}, at least two, but holds one alone: {classes[0].name}")
    loose = [path.name for path in root.iterdir() if path.is_file() and path.name.lower().endswith(suffixes)]
    if loose:
        raise DataError(f"{rule}, but {loose[0]} lies beside them{_more(len(loose) - 1)}; move such files elsewhere")
    for folder in classes:
        is_empty = True
        for path in places.walk(folder):
            shown = f"{name.rstrip('/')}/{path.relative_to(root)}"
            if path.name.lower().endswith(suffixes):
                is_empty = False
                yield _File(path, shown, folder.name, part)
            else:
                left_out.append(shown)
        if is_empty:
            raise DataError(f"{name.rstrip('/')}/{folder.name}: must hold {what} ({', '.join(suffixes)}), but has none")


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not places.is_hidden(path.name))


def _other_files(name: str, what: str, left_out: list[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    return (f"{name}: left out are files that are no {what}: {left_out[0]}{_more(len(left_out) - 1)}",)


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def listed(names: list[str]) -> str:
    """A few of the names, and how many more there are."""
    return f"{', '.join(names[:3])}{_more(len(names) - 3)}"
