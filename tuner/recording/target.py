"""Where a sweep is recorded, and how that is written without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuner.base.errors import TrackingError
from tuner.base.secrets import with_credentials, without_credentials
from tuner.storage import SweepFolder


class RunsLostError(TrackingError):
    """The store no longer knows runs that were recorded in it; all must be recorded anew."""


@dataclass(frozen=True)
class Target:
    """A tracking store and an experiment in it."""

    uri: str
    """With the credentials that the environment has for it."""
    experiment: str
    artifact_location: str | None
    """Of an experiment made anew; None: the server's own choice."""

    @classmethod
    def of(cls, spec: dict[str, Any], folder: SweepFolder, uri: str | None = None) -> Target:
        """The target that a resolved spec names, or `uri` in its stead; SQLite in the storage root by default."""
        tracking = spec.get("tracking") or {}
        chosen = uri or tracking.get("uri") or folder.root.default_tracking_uri
        is_default = not folder.is_remote and chosen == f"sqlite:///{folder.root.database}"
        artifacts = folder.root.artifacts.as_uri() if is_default else None
        return cls(with_credentials(chosen), tracking.get("experiment") or str(spec["name"]), artifacts)

    @property
    def public_uri(self) -> str:
        return without_credentials(self.uri)
