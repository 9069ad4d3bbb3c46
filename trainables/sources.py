"""A trainable's source as it was kept once: its modules come from those bytes, whatever the files say today.

A process that loads a trainable with its `Sources` imports what lies beside it from there, also later and within
functions. `__file__` is the original place, so that other files beside the code are found, and tracebacks, `inspect`
and AutoGraph see the kept lines.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any


class ChangedSourceError(ImportError):
    """A file of which no copy was kept is not what it was."""


@dataclass(frozen=True)
class Sources:
    """Python files by their names relative to the folder of the trainable's file, such as `layers/blocks.py`."""

    main: str
    """The trainable's own file."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What was kept."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the others: they are read from their original place, and must be what they were."""

    @property
    def names(self) -> set[str]:
        return {*self.files, *self.digests}

    @property
    def version(self) -> str:
        """Names exactly these contents."""
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        return hashlib.sha256(repr(sorted({**digests, **self.digests}.items())).encode()).hexdigest()

    def read(self, folder: Path, name: str) -> bytes:
        """A file's content as it was kept.

        Raises:
            ChangedSourceError: no copy was kept, and the file is another one today, or gone.
        """
        if name in self.files:
            return self.files[name]
        path, content = folder / name, None
        with suppress(OSError):
            content = path.read_bytes()
        if content is not None and hashlib.sha256(content).hexdigest() == self.digests[name]:
            return content
        what = "is gone" if content is None else "was changed"
        raise ChangedSourceError(f"{path}: {what} since the sweep began, and no copy of it was kept: put it back")


def activate(folder: Path, sources: Sources) -> None:
    """From now on this process imports the modules beside a trainable as they were kept.

    What it has imported of another version, or by these names from elsewhere, is forgotten, so that nothing mixes.
    """
    finder = _Finder(folder, sources)
    current = next((found for found in sys.meta_path if isinstance(found, _Finder)), None)
    if current is not None:
        if current.is_like(finder):
            return
        current.withdraw()
    for name in [name for name in sys.modules if name.partition(".")[0] in finder.tops]:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)


@contextmanager
def imports_restored() -> Iterator[None]:
    """Afterwards this process imports as it did before: what lies beside a trainable as it is today.

    The trainable's own module stays, as it has a name that nobody else imports.
    """
    before, finders = dict(sys.modules), [finder for finder in sys.meta_path if isinstance(finder, _Finder)]
    paths = list(sys.path)
    try:
        yield
    finally:
        for path in [path for path in sys.path if path not in paths]:  # where today's code was looked for
            sys.path.remove(path)
            for name in [name for name in sys.modules if name not in before and not name.startswith("tuner_user_")]:
                if _is_below(sys.modules[name], Path(path)):
                    del sys.modules[name]
        added = [finder for finder in sys.meta_path if isinstance(finder, _Finder) and finder not in finders]
        for finder in added:
            finder.withdraw()
        sys.meta_path[:0] = [finder for finder in finders if finder not in sys.meta_path]
        sys.modules.update({name: module for name, module in before.items() if sys.modules.get(name) is not module})


def load_main(folder: Path, sources: Sources, name: str) -> ModuleType:
    """The module of the trainable's own file, under a name of its own.

    Raises:
        ChangedSourceError: as `Sources.read`.
        Exception: whatever the file raises when imported.
    """
    path = folder / sources.main
    spec = spec_from_file_location(name, path, loader=_Loader(name, str(path), folder, sources))
    assert spec is not None
    return run(spec)


def run(spec: ModuleSpec) -> ModuleType:
    """Imports what a spec says; a module that raises is none."""
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _is_below(module: ModuleType | None, folder: Path) -> bool:
    """Whether a module was imported from this folder."""
    places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", None) or ())]
    return any(place.startswith(f"{folder}/") for place in places)


class _Finder(MetaPathFinder):
    """Finds the kept modules beside a trainable before anything else is looked for."""

    def __init__(self, folder: Path, sources: Sources) -> None:
        self.folder, self._sources = folder, sources
        self._names = {name for name in sources.names if name.endswith(".py")}
        self.tops = {name.partition("/")[0].removesuffix(".py") for name in self._names}
        if _is_elsewhere(own := sources.main.removesuffix(".py"), folder):  # which is no name of what lies beside it
            self._names.discard(sources.main)
            self.tops.discard(own)

    def is_like(self, other: _Finder) -> bool:
        """Whether both find the same."""
        return self.folder == other.folder and self._sources.version == other._sources.version

    def withdraw(self) -> None:
        """From now on nothing is found here, and what was is forgotten."""
        sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name.partition(".")[0] in self.tops]:
            if _is_below(sys.modules[name], self.folder):
                del sys.modules[name]

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        place = fullname.replace(".", "/")
        if place.partition("/")[0] not in self.tops:
            return None
        for name, inside in ((f"{place}/__init__.py", [str(self.folder / place)]), (f"{place}.py", None)):
            if name in self._names:
                file = str(self.folder / name)
                loader = _Loader(fullname, file, self.folder, self._sources)
                return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=inside)
        if any(name.startswith(f"{place}/") for name in self._names):  # a folder without __init__.py
            namespace = ModuleSpec(fullname, None, is_package=True)
            namespace.submodule_search_locations = [str(self.folder / place)]
            return namespace
        return None


def _is_elsewhere(module: str, folder: Path) -> bool:
    """Whether Python finds a module of this name without the trainable's folder."""
    paths = [path for path in sys.path if Path(path or ".").resolve() != folder]
    return module in sys.stdlib_module_names or PathFinder.find_spec(module, paths) is not None


class _Loader(SourceFileLoader):
    """Loads a module from what was kept of it; bytecode beside the original file is of another one, maybe."""

    def __init__(self, fullname: str, path: str, folder: Path, sources: Sources) -> None:
        super().__init__(fullname, path)
        self._folder, self._sources = folder, sources

    def get_data(self, path: str) -> bytes:
        if path != self.path:
            return super().get_data(path)
        return self._sources.read(self._folder, str(Path(path).relative_to(self._folder)))

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError("its bytecode is not to be looked for")

    def exec_module(self, module: ModuleType) -> None:
        with suppress(SyntaxError, UnicodeDecodeError):  # which its compilation says better
            text = decode_source(self.get_data(self.path))
            linecache.cache[self.path] = (len(text), None, text.splitlines(keepends=True), self.path)
        super().exec_module(module)
