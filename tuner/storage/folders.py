"""The paths of a storage root and of a sweep. File names are defined only here."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.errors import ForeignFileError, UsageError
from tuner.base.user import user_cache
from tuner.storage import nofollow, objectstore
from tuner.storage.files import AnyPath, exists, names, write_atomically
from tuner.storage.names import (
    CHECKPOINTS,
    OWN_FILES,
    checkpoint_name,
    is_checkpoint_path,
    is_sweep_name,
    is_trial_name,
    trial_name,
)

if TYPE_CHECKING:
    from upath import UPath

DATABASE = "mlflow.db"
"""The file of the storage root's own tracking store."""
_LISTED_AT_ONCE = 16


def code_copy(digest: str, name: str) -> str:
    """The path, relative to a sweep's folder, of a copied file of its code, by the digest of the code's version."""
    return f"code/{digest[:12]}/{name}"


def learned_copy(digest: str) -> str:
    """Where a sweep's folder has what its trainable learned of the data, of the version with this digest."""
    return f"code/learned/{digest[:12]}.pickle"


@dataclass(frozen=True)
class _Place:
    """A place on a file system or in an object store."""

    path: AnyPath

    @property
    def url(self) -> str:
        """Identifies this place in any process: a path on a file system, else a URL."""
        return str(self.path)

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store."""
        return not isinstance(self.path, Path)


@dataclass(frozen=True)
class StorageRoot(_Place):
    """The folder, or the place in an object store, that holds sweeps as folders. On a file system it also holds the
    default tracking store."""

    @classmethod
    def resolve(cls, option: str | None = None, spec: str | None = None) -> StorageRoot:
        """The root that the command line names, else the spec, else $TUNER_STORAGE, else ./sweeps.

        Raises:
            UsageError: its URL has an unknown scheme, the package for its store is not installed, it is a file, or it
                starts with the home folder of an unknown user.
            StorageError: access to it is denied.
        """
        chosen = option or spec or os.environ.get("TUNER_STORAGE") or "./sweeps"
        if objectstore.is_url(chosen):
            return cls(objectstore.open_url(chosen))
        try:
            path = Path(chosen).expanduser().absolute()
        except RuntimeError:
            home = Path(chosen).parts[0]
            raise UsageError(
                f"{chosen}: the storage root must be a folder, but no user has the home folder {home}"
            ) from None
        there = next(part for part in (path, *path.parents) if exists(part))
        if not there.is_dir():
            what = "is a file" if there == path else f"{there} is a file"
            raise UsageError(f"{path}: the storage root must be a folder, but {what}")
        return cls(path)

    @property
    def default_tracking_uri(self) -> str:
        if self.is_remote:
            raise UsageError(
                f"tracking.uri: must be a server when the storage is an object store ({self.url}), but it is missing"
            )
        wrong = next((char for char in self.url if char in "?%"), None)
        if wrong is not None:  # MLflow cannot open such a file, even if it is quoted
            raise UsageError(
                f"tracking.uri: must be given when the path of the storage contains {wrong!r} ({self.url})"
            )
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
        """The file with the root's id, which stays the same when the root is moved (see `tuner.storage.identity`)."""
        return self.path / ".root" / "id.json"

    @property
    def probes(self) -> AnyPath:
        """The folder of what `tuner probe` measured, a file a probe (see `tuner.probe.journal`)."""
        return self.path / ".probes"

    def sweep(self, name: str) -> SweepFolder:
        """The folder of a sweep, whether or not it exists.

        Raises:
            UsageError: no folder in this root can have this name.
        """
        if not self.can_hold(name):
            raise UsageError(f"sweep: must be the name of a folder in {self.path}, without / or .., but got {name!r}")
        return SweepFolder(self.path / name)

    def can_hold(self, name: str) -> bool:
        """Whether a sweep here can have this name, which may also be the name of an experiment."""
        return is_sweep_name(name, is_remote=self.is_remote)

    def sweeps(self) -> list[SweepFolder]:
        """Every sweep in this root, by name. Links to folders are left out.

        Raises:
            StorageError: it cannot be listed.
        """
        shown = [name for name in names(self.path) if self.can_hold(name) and not name.startswith(".")]
        folders = [self.sweep(name) for name in shown]
        if not self.is_remote:
            return [folder for folder in folders if _is_sweep(folder)]
        with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
            there = pool.map(_is_sweep, folders)
            return [folder for folder, is_sweep in zip(folders, there, strict=True) if is_sweep]

    def links(self) -> list[Path]:
        """The links in this root, except those of the tracking store. They are not followed to sweeps."""
        if not isinstance(self.path, Path):
            return []
        own = (self.database, self.artifacts)
        found = (self.path / name for name in names(self.path) if not name.startswith("."))
        return [path for path in found if path not in own and path.is_symlink()]


@dataclass(frozen=True)
class SweepFolder(_Place):
    """The folder of one sweep, on a file system or in an object store."""

    @classmethod
    def at(cls, url: str) -> SweepFolder:
        """The folder that another process identified by `url`.

        Raises:
            UsageError: it is not a folder in a storage root.
        """
        path = objectstore.open_url(url) if "://" in url else Path(url).absolute()
        return StorageRoot(path.parent).sweep(path.name)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def root(self) -> StorageRoot:
        return StorageRoot(self.path.parent)

    @property
    def base(self) -> Path | None:
        """The storage root, below which no link is followed; None in an object store."""
        return self.path.parent if isinstance(self.path, Path) else None

    def exists(self) -> bool:
        """Whether the sweep exists: it has a journal, or on an object store at least one segment of it.

        Raises:
            ForeignFileError: the folder is a link.
            StorageError: this cannot be determined.
        """
        if isinstance(self.path, Path):
            return exists(self.journal, self.base)
        return bool(names(self.segments))

    @property
    def is_taken(self) -> bool:
        """Whether anything has this name, even a dangling link.

        Raises:
            StorageError: this cannot be determined.
        """
        return exists(self.path, self.base)

    def problems(self) -> list[ForeignFileError]:
        """The links, pipes and the like in this folder that have the name of one of the sweep's files or folders."""
        if not isinstance(self.path, Path) or self.base is None:
            return []
        found: list[ForeignFileError] = []
        try:
            found += nofollow.problems(self.path, OWN_FILES, self.base)
            trials = filter(is_trial_name, names(self.path / CHECKPOINTS, self.base))
            return found + nofollow.problems(self.path / CHECKPOINTS, trials, self.base)
        except ForeignFileError as error:  # from this folder itself, or from checkpoints/
            return [*found, error]

    def check(self) -> None:
        """Checks that no link, pipe or the like has the name of one of the sweep's files or folders.

        Raises:
            ForeignFileError: there is one; the message says what to do.
        """
        for problem in self.problems():
            raise problem

    @property
    def local(self) -> Path:
        """The folder for this machine's own files of the sweep, logs and locks; created on demand."""
        if isinstance(self.path, Path):
            return self.path
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        folder = user_cache() / f"{digest}-{self.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def spec(self) -> AnyPath:
        return self.path / "spec.yaml"

    @property
    def journal(self) -> Path:
        """The journal's file; on an object store, see `segments`."""
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
        """The lease: a file; on an object store, a folder with one object for each holder so far."""
        return self.path / ("lease" if self.is_remote else "lease.json")

    @property
    def checkpoints(self) -> AnyPath:
        return self.path / CHECKPOINTS

    def trial_checkpoints(self, trial: int) -> AnyPath:
        return self.checkpoints / trial_name(trial)

    def checkpoint(self, trial: int, attempt: int, epoch: int, kind: str = "full", suffix: str = ".npz") -> str:
        """The path of a checkpoint of this process, relative to this folder, as in events."""
        return f"{CHECKPOINTS}/{trial_name(trial)}/{checkpoint_name(attempt, epoch, kind, suffix)}"

    def named(self, path: str) -> AnyPath:
        """The checkpoint at a path from an event.

        Raises:
            ForeignFileError: it is not the path of a checkpoint, and might lead anywhere.
        """
        if not is_checkpoint_path(path):
            raise ForeignFileError(
                f"{self.path}: its journal names the checkpoint {path!r}, but checkpoints are named"
                f" {CHECKPOINTS}/TRIAL/KIND-EPOCH-attempt-N-PROCESS.npz; it is not read"
            )
        return self.path / path

    @property
    def code(self) -> AnyPath:
        """The code that the sweep's trials were trained with."""
        return self.path / "code"

    @property
    def cursor(self) -> AnyPath:
        """How far the recorder is, and which MLflow runs it created."""
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

    def callback_files(self, trial: int) -> Path:
        """What a trial's Keras callbacks write to relative paths: logs and files of their own."""
        return self.local / "callbacks" / trial_name(trial)

    def logged(self, trial: int) -> AnyPath:
        """The artifacts that a trial's script has logged to MLflow."""
        return self.path / "logged" / trial_name(trial) if self.is_remote else self.callback_files(trial) / "mlflow"

    def keep_logged(self, trial: int, name: str, file: Path) -> None:
        """Keeps a file as an artifact that a trial's script has logged.

        Raises:
            OSError, StorageError: it cannot be read or written.
        """
        write_atomically(self.logged(trial) / name, file.read_bytes())

    def printed(self, trial: int, *, is_end: bool = False) -> AnyPath:
        """The file with what a trial printed first, or with the end of what it printed after that."""
        return self.path / "printed" / f"{trial_name(trial)}{'-end' if is_end else ''}.txt"

    @property
    def outputs(self) -> Path:
        """What trainables printed in workers on this machine, as far as it is retained."""
        return self.local / "outputs"

    @property
    def driver_log(self) -> Path:
        """The output of Ray and its workers."""
        return self.local / "driver.log"


def _is_sweep(folder: SweepFolder) -> bool:
    try:
        return folder.exists()
    except ForeignFileError:
        return False
