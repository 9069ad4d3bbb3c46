"""Where everything of a storage root and of a sweep lies: the one place that knows file names."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import UsageError
from tuner.paths import objectstore
from tuner.paths.files import AnyPath, exists, names

if TYPE_CHECKING:
    from upath import UPath

DATABASE = "mlflow.db"
"""What a storage root calls its own tracking store."""
_LISTED_AT_ONCE = 16


@dataclass(frozen=True)
class _Place:
    """Somewhere on a file system or in an object store."""

    path: AnyPath

    @property
    def url(self) -> str:
        """Names this place in any process: a path on a file system, else a URL."""
        return str(self.path)

    @property
    def is_remote(self) -> bool:
        """Whether it lies in an object store."""
        return not isinstance(self.path, Path)


@dataclass(frozen=True)
class StorageRoot(_Place):
    """The folder, or the place in an object store, in which each sweep is a folder; beside them the default tracking
    store, on a file system."""

    @classmethod
    def resolve(cls, option: str | None = None, spec: str | None = None) -> StorageRoot:
        """The root that the command line names, else the spec, else $TUNER_STORAGE, else ./sweeps.

        Raises:
            UsageError: it is a URL of no known scheme, or what speaks to that store is not installed; it is a file; it
                begins with the home folder of nobody.
            StorageError: nobody may look there.
        """
        chosen = option or spec or os.environ.get("TUNER_STORAGE") or "./sweeps"
        if objectstore.is_url(chosen):
            return cls(objectstore.open_url(chosen))
        try:
            path = Path(chosen).expanduser().absolute()
        except RuntimeError:
            home = Path(chosen).parts[0]
            raise UsageError(f"{chosen}: the storage root must be a folder, but nobody's home is {home}") from None
        there = next(part for part in (path, *path.parents) if exists(part))
        if not there.is_dir():
            what = "is a file" if there == path else f"{there} is a file"
            raise UsageError(f"{path}: the storage root must be a folder, but {what}")
        return cls(path)

    @property
    def default_tracking_uri(self) -> str:
        if self.is_remote:
            raise UsageError(
                f"tracking.uri: must be a server when the storage is an object store ({self.url}), but none is given"
            )
        wrong = next((char for char in self.url if char in "?%"), None)
        if wrong is not None:  # MLflow opens no such file, however quoted
            raise UsageError(f"tracking.uri: must be given when the storage's path has a {wrong!r} in it ({self.url})")
        return f"sqlite:///{self.database}"

    @property
    def database(self) -> AnyPath:
        """The default tracking store's file."""
        return self.path / DATABASE

    @property
    def artifacts(self) -> AnyPath:
        return self.path / "mlartifacts"

    @property
    def identity(self) -> AnyPath:
        """The root's id, by which it is known wherever it is moved (see `tuner.paths.identity`)."""
        return self.path / ".root" / "id.json"

    def sweep(self, name: str) -> SweepFolder:
        return SweepFolder(self.path / name)

    def sweeps(self) -> list[SweepFolder]:
        """Every sweep in this root, by name.

        Raises:
            StorageError: the object store cannot be listed.
        """
        folders = [self.sweep(name) for name in names(self.path) if not name.startswith(".")]
        if not self.is_remote:
            return [folder for folder in folders if folder.exists()]
        with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
            there = pool.map(SweepFolder.exists, folders)
            return [folder for folder, is_sweep in zip(folders, there, strict=True) if is_sweep]


@dataclass(frozen=True)
class SweepFolder(_Place):
    """The folder of one sweep, on a file system or in an object store."""

    @classmethod
    def at(cls, url: str) -> SweepFolder:
        """The folder that another process calls by `url`."""
        return cls(objectstore.open_url(url) if "://" in url else Path(url).absolute())

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def root(self) -> StorageRoot:
        return StorageRoot(self.path.parent)

    def exists(self) -> bool:
        """Whether there is a sweep: a journal, on an object store at least one segment of it.

        Raises:
            StorageError: that cannot be found out.
        """
        if isinstance(self.path, Path):
            return exists(self.journal)
        return bool(names(self.segments))

    @property
    def local(self) -> Path:
        """Where this machine's own files of the sweep lie, logs and locks; made on demand."""
        if isinstance(self.path, Path):
            return self.path
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        folder = Path(cache).expanduser() / "tuner" / f"{digest}-{self.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def spec(self) -> AnyPath:
        return self.path / "spec.yaml"

    @property
    def journal(self) -> Path:
        """The journal's file; on an object store the journal is `segments` instead."""
        if not isinstance(self.path, Path):
            raise TypeError(f"{self.path}: a journal on an object store is no file")
        return self.path / "journal.jsonl"

    @property
    def segments(self) -> UPath:
        """The folder of the journal's segments, on an object store."""
        if isinstance(self.path, Path):
            raise TypeError(f"{self.path}: a journal on a file system has no segments")
        return self.path / "journal"

    @property
    def lease(self) -> AnyPath:
        """Who works on the sweep: a file; on an object store a folder with one object for each holder so far."""
        return self.path / ("lease" if self.is_remote else "lease.json")

    @property
    def checkpoints(self) -> AnyPath:
        return self.path / "checkpoints"

    def trial_checkpoints(self, trial: int) -> AnyPath:
        return self.checkpoints / f"{trial:06d}"

    def checkpoint(self, trial: int, attempt: int, epoch: int, kind: str = "full") -> str:
        """The place of a checkpoint in this folder, as events name it.

        A dead driver's worker may still write for a moment, so processes never share a file.
        """
        name = f"{kind}-{epoch:06d}-attempt-{attempt:03d}-{os.getpid()}.npz"
        return f"{self.checkpoints.name}/{self.trial_checkpoints(trial).name}/{name}"

    @property
    def code(self) -> AnyPath:
        """The source that the sweep's trials were trained with."""
        return self.path / "code"

    @property
    def cursor(self) -> AnyPath:
        """How far the recorder is, and which MLflow runs it made."""
        return self.path / "recorder.json"

    @property
    def report(self) -> AnyPath:
        """The page that `tuner report` writes."""
        return self.path / "report.html"

    @property
    def recorder_lock(self) -> Path:
        return self.local / "recorder.lock"

    @property
    def recorder_log(self) -> Path:
        return self.local / "recorder.log"

    @property
    def driver_log(self) -> Path:
        """What Ray and its workers print."""
        return self.local / "driver.log"
