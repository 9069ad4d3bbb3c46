"""Where everything of a storage root and of a sweep lies: the one place that knows file names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import UsageError


@dataclass(frozen=True)
class StorageRoot:
    """The folder in which each sweep is a folder, beside the default tracking store."""

    path: Path

    @classmethod
    def resolve(cls, option: str | None = None, spec: str | None = None) -> StorageRoot:
        """The root that the command line names, else the spec, else $TUNER_STORAGE, else ./sweeps."""
        chosen = option or spec or os.environ.get("TUNER_STORAGE") or "./sweeps"
        if "://" in chosen:
            raise UsageError(f"storage: must be a local or shared folder in this version, but got {chosen!r}")
        return cls(Path(chosen).expanduser().absolute())

    @property
    def default_tracking_uri(self) -> str:
        return f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.path / "mlartifacts"

    def sweep(self, name: str) -> SweepFolder:
        return SweepFolder(self.path / name)

    def sweeps(self) -> list[SweepFolder]:
        """Every sweep in this root, by name."""
        if not self.path.is_dir():
            return []
        folders = (SweepFolder(path) for path in sorted(self.path.iterdir()) if not path.name.startswith("."))
        return [folder for folder in folders if folder.journal.exists()]


@dataclass(frozen=True)
class SweepFolder:
    """The folder of one sweep."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def root(self) -> StorageRoot:
        return StorageRoot(self.path.parent)

    @property
    def spec(self) -> Path:
        return self.path / "spec.yaml"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def lease(self) -> Path:
        """Locked by the driver at work, with who that is in it."""
        return self.path / "lease.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def trial_checkpoints(self, trial: int) -> Path:
        return self.checkpoints / f"{trial:06d}"

    def checkpoint(self, trial: int, attempt: int, epoch: int) -> Path:
        """A dead driver's worker may still write for a moment, so processes never share a file."""
        return self.trial_checkpoints(trial) / f"epoch-{epoch:06d}-attempt-{attempt:03d}-{os.getpid()}.npz"

    @property
    def cursor(self) -> Path:
        """How far the recorder is, and which MLflow runs it made."""
        return self.path / "recorder.json"

    @property
    def recorder_lock(self) -> Path:
        return self.path / "recorder.lock"

    @property
    def recorder_log(self) -> Path:
        return self.path / "recorder.log"

    @property
    def driver_log(self) -> Path:
        """What Ray and its workers print."""
        return self.path / "driver.log"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a crash at any instant leaves either the old or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
