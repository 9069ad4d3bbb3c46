"""Where a sweep is recorded, with and without credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuner.base.errors import TrackingError
from tuner.base.secrets import with_credentials, without_credentials
from tuner.storage import SweepFolder


class RunsLostError(TrackingError):
    """The store no longer has runs that were recorded in it; everything must be recorded again."""


@dataclass(frozen=True)
class Target:
    """A tracking store and an experiment in it."""

    uri: str
    """The URI, with the credentials that the environment holds for it."""
    experiment: str
    artifact_location: str | None
    """The artifact location of a new experiment; None for the server's default."""

    @classmethod
    def of(cls, spec: dict[str, Any], folder: SweepFolder, uri: str | None = None) -> Target:
        """The target in a resolved spec, overridden by `uri`; by default SQLite in the storage root."""
        tracking = spec.get("tracking") or {}
        chosen = uri or tracking.get("uri") or folder.root.default_tracking_uri
        is_default = not folder.is_remote and chosen == f"sqlite:///{folder.root.database}"
        artifacts = folder.root.artifacts.as_uri() if is_default else None
        return cls(with_credentials(chosen), tracking.get("experiment") or str(spec["name"]), artifacts)

    @property
    def public_uri(self) -> str:
        return without_credentials(self.uri)
