"""Which files are the code of a sweep's trainable, where they lie, and what the trainable is called on a cluster."""

from __future__ import annotations

import os
from importlib.metadata import packages_distributions
from pathlib import Path

from trainables.importable import import_folder, is_importable, module_file
from trainables.scripts.commands import PREFIX, file_of, is_command
from tuner.cluster.pins import is_locked
from tuner.inspection.provenance.beside import files_below, imported_beside, package_files
from tuner.inspection.work_folder import SHIPPED_CODE
from tuner.spec import SweepSpec
from tuner.spec.requirements import normal_name


def code_of(spec: SweepSpec, beside: Path | None) -> tuple[Path | None, set[Path], str]:
    """The folder of the user's code, its files, and the trainable as it is named there."""
    trainable = spec.trainable
    if is_command(trainable):
        return _of_command(spec, beside)
    file, _, name = trainable.rpartition(":")
    if file.endswith(".py"):
        path = Path(file)
        return path.parent, imported_beside(path), f"{SHIPPED_CODE}/{path.name}:{name}"
    if not is_importable(trainable):
        return None, set(), trainable
    own, folder = module_file(trainable), import_folder(trainable)
    if own is None or folder is None:
        return None, set(), trainable
    root = Path(folder).resolve()
    top = own.relative_to(root).parts[0].removesuffix(".py") if own.is_relative_to(root) else ""
    if not top or _is_there(top, root, spec):
        return None, set(), trainable
    if is_installed(root):
        package = root / top
        return root, set(files_below(package)) if package.is_dir() else {own}, trainable
    return root, package_files(root, top), trainable


def code_of_data(spec: SweepSpec, root: Path | None) -> set[Path]:
    """The file of a function that gives the data, beside the code, and what it imports."""
    file = Path((spec.data or "").rpartition(":")[0])
    is_there = root is not None and file.suffix == ".py" and file.is_relative_to(root) and file.is_file()
    return imported_beside(file) if is_there else set()


def _of_command(spec: SweepSpec, beside: Path | None) -> tuple[Path | None, set[Path], str]:
    """Of a command: the files that it names, and what those of Python import from beside them."""
    folder = (beside or Path.cwd()).resolve()
    named = [folder / argument for argument in spec.command or () if not argument.startswith(("-", "/"))]
    files = {path for path in named if os.path.isfile(path) and path.resolve().is_relative_to(folder)}
    code = {one for path in files for one in (imported_beside(path) if path.suffix == ".py" else {path})}
    file = Path(file_of(spec.trainable))
    name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name
    return folder, code, f"{PREFIX}{name}" if file.name else spec.trainable


def is_installed(root: Path) -> bool:
    """Whether a folder is one of installed packages."""
    return bool({"site-packages", "dist-packages"} & set(root.parts))


def _is_there(top: str, root: Path, spec: SweepSpec) -> bool:
    """Whether each node has an installed package by the lock file or by the sweep's requirements."""
    if not is_installed(root):
        return False
    names = packages_distributions().get(top, [])
    return any(is_locked(name) or normal_name(name) in spec.required for name in names)
