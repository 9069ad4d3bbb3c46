"""The code of a trainable: its file and what that imports from beside it, with digests, and copies within bounds."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from trainables import registry
from trainables.given import is_given
from trainables.importable import import_folder, is_importable
from trainables.importable import module_file as importable_file
from trainables.scripts.commands import file_of, is_command
from trainables.sources import Sources
from tuner.base.secrets import holds_secret
from tuner.inspection.provenance.beside import files_below, imported, imported_beside, package_files
from tuner.inspection.provenance.files import file_digest

FILE_BYTES = 1 << 20
"""Of a larger file no copy is kept, only its digest."""
TOTAL_BYTES = 4 << 20
FILES = 500
"""Of the files beyond so many, Python's first, one digest is kept for all."""
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python", "yaml": "pyyaml"}
"""Packages that are installed under another name than they are imported by, and would take long to be looked for."""


@dataclass(frozen=True)
class Code:
    """The code of a trainable as it is today.

    `manifest` is what the journal says of it: `main`; `files`, by their names relative to the trainable's folder, each
    with `size_bytes`, `sha256` and, where no copy is kept, `left_out`; `digest`, over all; `packages`, the versions of
    what it imports from elsewhere; and `more`, files beyond the bounds.
    """

    manifest: dict[str, Any]
    sources: Sources

    @property
    def left_out(self) -> dict[str, str]:
        """The Python files of which no copy is kept, and why."""
        return left_out(self.manifest)


def left_out(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The Python files of which no copy was kept, and why."""
    files: dict[str, dict[str, Any]] = manifest["files"]
    return {name: str(file["left_out"]) for name, file in files.items() if "left_out" in file and name.endswith(".py")}


def is_sound(manifest: Mapping[str, Any]) -> bool:
    """Whether what a journal says of code can be made use of: its parts, their digest, and names within the folder."""
    files, more = manifest.get("files"), manifest.get("more", {})
    if not (isinstance(files, dict) and isinstance(more, dict) and isinstance(manifest.get("packages"), dict)):
        return False
    entries = [*files.values(), *([more] if more else [])]
    if not all(isinstance(entry, dict) and isinstance(entry.get("sha256"), str) for entry in entries):
        return False
    if manifest.get("main") not in files or not all(map(is_plain, files)):
        return False
    return manifest.get("digest") == digest_of({**files, **({"": more} if more else {})})


def is_shipped(trainable: str) -> bool:
    """Whether a spec's trainable is one of ours rather than a user's file."""
    return not (trainable.rpartition(":")[0].endswith(".py") or runs_as_it_is(trainable))


def runs_as_it_is(trainable: str) -> bool:
    """Whether a trainable's kept copy is only looked at, unless `is_kept_package`."""
    return is_given(trainable) or is_importable(trainable) or is_command(trainable)


def is_kept_package(trainable: str, kept: Mapping[str, Any]) -> bool:
    """Whether what was kept of a module's package can be imported: all of it, by names from where it lies."""
    if not is_importable(trainable):
        return False
    file, folder = importable_file(trainable), import_folder(trainable)
    if file is None or folder is None or "more" in kept:
        return False
    root = Path(folder).resolve()
    return file.is_relative_to(root) and _name(file, root) == kept["main"]


def main_file(trainable: str) -> Path:
    """The file that a spec's trainable is in, with links followed.

    Raises:
        LookupError: there is no such shipped trainable.
    """
    if is_shipped(trainable):
        return registry.module_file(trainable)
    if is_command(trainable):
        return Path(file_of(trainable) or trainable)
    return Path(trainable.rpartition(":")[0]).resolve()


def collect(trainable: str, also: Iterable[str] = ()) -> Code | None:
    """The code of a spec's trainable as it is now; None if nothing of it is there.

    Args:
        also: files below the trainable's folder that belong to it, whatever imports them.
    """
    if is_given(trainable):
        from tuner.inspection.provenance.given import code_of_given

        return code_of_given(trainable)
    if is_command(trainable):
        named = Path(file_of(trainable))
        return (
            _collected(named, {*_own(named, imported_beside(named)), *_below(named.parent, also)}, {})
            if file_of(trainable) and named.is_file()
            else None
        )
    if is_importable(trainable):
        return _of_module(trainable, set(also))
    try:
        main = main_file(trainable)
    except LookupError:
        return None
    paths = _below(main.parent, also)
    if os.path.isfile(main):
        paths |= {main} if is_shipped(trainable) else _own(main, imported_beside(main))
    collected = _collected(main, paths) if paths else None
    return collected if collected is not None and collected.manifest["files"] else None


def _of_module(trainable: str, also: set[str]) -> Code | None:
    """The code of a module: of its whole package, named relative to the folder that this is imported from."""
    file, folder = importable_file(trainable), import_folder(trainable)
    if file is None or folder is None:
        return None
    root = Path(folder).resolve()
    if not file.is_relative_to(root) or file.parent == root or (file.name in also and _name(file, root) not in also):
        in_package = (file.parent / "__init__.py").is_file()  # as journals of earlier versions have it
        return _collected(file, {file, *file.parent.glob("*.py")} if in_package else _own(file, imported_beside(file)))
    top = file.relative_to(root).parts[0]
    is_installed = "site-packages" in root.parts
    paths = set(files_below(root / top)) if is_installed else package_files(root, top)
    hidden = {path for path in paths if any(part.startswith(".") for part in path.relative_to(root).parts[:-1])}
    return _collected(file, paths - hidden, folder=root)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def extended(code: Code, trainable: str, names: Iterable[str]) -> Code:
    """The code with further files, which it was seen to import by names that it makes up."""
    main = main_file(trainable)
    more = _below(main.parent, (name for name in names if name not in code.manifest["files"]))
    if not more:
        return code
    return _collected(main, {*more, *_below(main.parent, code.manifest["files"])}, code.sources.files)


def _collected(
    main: Path, paths: set[Path], known: Mapping[str, bytes] = MappingProxyType({}), folder: Path | None = None
) -> Code:
    """The code that these files are; the content of some is known already.

    Args:
        folder: what their names are relative to; by default that of the main file.
    """
    folder = folder or main.parent
    kept: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    files: dict[str, dict[str, Any]] = {}
    room_bytes = TOTAL_BYTES
    ordered = sorted(paths, key=lambda path: (path != main, path.suffix != ".py", str(path)))
    for path in ordered[:FILES]:
        name = _name(path, folder)
        try:
            content = known[name] if name in known else path.read_bytes() if _is_small(path) else b""
            entry = _entry(path, content)
        except OSError:  # it went away, or nobody may read it: its import says so
            continue
        if reason := _why_left_out(name, content, int(entry["size_bytes"]), room_bytes):
            entry["left_out"] = reason
            if name.endswith(".py"):
                digests[name] = str(entry["sha256"])
        else:
            kept[name] = content
            room_bytes -= len(content)
        files[name] = entry
    manifest: dict[str, Any] = {
        "main": _name(main, folder),
        "digest": digest_of(files),
        "files": files,
        "packages": _packages(paths, folder),
    }
    if more := ordered[FILES:]:
        manifest["more"] = _more(more, folder)
        manifest["digest"] = digest_of({**files, "": manifest["more"]})
    return Code(manifest, Sources(_name(main, folder), kept, digests))


def digest_of(files: Mapping[str, Mapping[str, Any]]) -> str:
    """One digest over the names and contents of all files."""
    lines = (f"{name}\0{file['sha256']}\n" for name, file in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _is_small(path: Path) -> bool:
    return path.stat().st_size <= FILE_BYTES


def _entry(path: Path, content: bytes) -> dict[str, Any]:
    if content or _is_small(path):
        return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if path.suffix == ".py":  # which is read once more, so a digest of all of it is no more work
        with open(path, "rb") as file:
            return {"size_bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    found = file_digest(path)
    return {"size_bytes": found["size_bytes"], "sha256": found["sha256"]}


def _why_left_out(name: str, content: bytes, size_bytes: int, room_bytes: int) -> str:
    if size_bytes > FILE_BYTES:
        return f"larger than {FILE_BYTES >> 20} MiB"
    if holds_secret(name, content.decode(errors="replace")):
        return "may hold a secret"
    if not name.endswith(".py"):
        return "not Python"
    return f"beyond {TOTAL_BYTES >> 20} MiB in all" if size_bytes > room_bytes else ""


def _own(main: Path, found: set[Path]) -> set[Path]:
    """Without modules that are installed, too, which Python takes from there, and what lies in hidden folders."""
    tops = {path.relative_to(main.parent).parts[0] for path in found - {main}}
    installed = {top for top in tops if _is_installed(top.removesuffix(".py"), main.parent)}
    return {
        path
        for path in found
        if path == main
        or not (
            path.relative_to(main.parent).parts[0] in installed
            or any(part.startswith(".") for part in path.relative_to(main.parent).parts[:-1])
        )
    }


def _is_installed(module: str, folder: Path) -> bool:
    here = Path.cwd()
    paths = [path for path in sys.path if path and Path(path).resolve() not in (folder, here)]
    return PathFinder.find_spec(module, paths) is not None


def _below(folder: Path, names: Iterable[str]) -> set[Path]:
    """The files of these names that are there, of those that do not lead out of the folder."""
    return {folder / name for name in names if is_plain(name) and os.path.isfile(folder / name)}


def is_plain(name: str) -> bool:
    """Whether a name that a journal has stays below the folder that it is relative to."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name


def _more(paths: list[Path], folder: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    for path in paths:
        try:
            found = file_digest(path)["sha256"]
        except OSError:
            found = "gone"
        digest.update(f"{path.relative_to(folder).as_posix()}\0{found}\n".encode(errors="surrogateescape"))
    return {"files": len(paths), "sha256": digest.hexdigest()}


def _packages(paths: Iterable[Path], folder: Path) -> dict[str, str]:
    """The versions of installed packages that these files import, by name."""
    beside = {path.relative_to(folder).parts[0].removesuffix(".py") for path in paths}
    names = {name.partition(".")[0] for path in paths if path.suffix == ".py" for name in imported(path)}
    names -= {*beside, *sys.stdlib_module_names, "tuner", "trainables", ""}
    found = {}
    for name in sorted(names):
        if package := installed_package(name):
            found[package[0]] = package[1]
    return found


@cache
def installed_package(module: str) -> tuple[str, str] | None:
    """The package that has a module, and its version; None if none is known."""
    name = _DISTRIBUTIONS.get(module, module)
    name = name if installed_version(name) else next(iter(_distributions().get(module, [])), "")
    found = installed_version(name)
    return (name, found) if found else None


def installed_version(package: str) -> str:
    """Empty if it is not installed."""
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        return ""


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
