"""What git ignores below a folder: the `.gitignore` files there and above, up to the repository's root."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec

_FILE = ".gitignore"
_ROOTS = (".git", "pyproject.toml", "setup.py")
"""What the root of a repository has or, where there is none, that of a project."""


class Ignored:
    """The rules that hold for files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._known: dict[Path, GitIgnoreSpec | None] = {}

    @cached_property
    def _top(self) -> Path:
        """The root of the repository, else of the project, else the folder itself."""
        above = (self._folder, *self._folder.parents)
        roots = (folder for mark in _ROOTS for folder in above if (folder / mark).exists())
        return next(roots, self._folder)

    @cached_property
    def _is_repository(self) -> bool:
        """Outside of one, only the top folder's file counts."""
        return (self._top / ".git").exists()

    def by(self, path: Path) -> str:
        """The `.gitignore` file that ignores a path below the folder; empty if none does.

        The rule of the deepest file counts; what lies in an ignored folder cannot be taken back.
        """
        if not path.is_relative_to(self._top):
            return ""
        parts = path.relative_to(self._top).parts
        for depth in range(1, len(parts) + 1):
            is_folder = depth < len(parts)
            if found := self._by(self._top.joinpath(*parts[:depth]), is_folder):
                return found
        return ""

    def _by(self, path: Path, is_folder: bool) -> str:
        for folder in path.parents if self._is_repository else (self._top,):
            rules = self._rules(folder)
            if rules is not None:
                name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
                found = rules.check_file(name).include
                if found is not None:
                    return str((folder / _FILE).relative_to(self._top)) if found else ""
            if folder == self._top:
                break
        return ""

    def _rules(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._known:
            try:
                lines = (folder / _FILE).read_text(encoding="utf-8", errors="replace").splitlines()
                self._known[folder] = GitIgnoreSpec.from_lines(lines)
            except OSError:
                self._known[folder] = None
        return self._known[folder]
