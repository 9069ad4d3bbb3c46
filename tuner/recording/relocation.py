"""Updates artifact locations after a storage root was moved or copied. MLflow's database holds absolute paths: new
artifacts would go to the old place, and the UI would look for all artifacts there."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuner.recording.database import sqlite_file
from tuner.recording.reasons import tracking_error

_log = logging.getLogger("tuner.recording")

_BUSY_S = 20.0
_OURS = "/mlartifacts"
"""The end of the artifact location of experiments that were created in a storage root's own store."""


def relocate_artifacts(uri: str, location: str) -> int:
    """Points experiments and runs of a root's own store to the root's artifacts; returns how many experiments changed.

    Args:
        uri: of the store, a SQLite file.
        location: the URI of the root's artifact folder.

    Raises:
        TrackingError: the database cannot be read or written.
    """
    file = sqlite_file(uri)
    if file is None or not file.exists():
        return 0
    try:
        return _relocate(file, location)
    except sqlite3.Error as error:
        raise tracking_error(error, uri) from error


def _relocate(file: Path, location: str) -> int:
    with contextlib.closing(sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)) as database:
        found = database.execute("select artifact_location, count(*) from experiments group by 1").fetchall()
        old = {place: count for place, count in found if place and _is_elsewhere(place, location)}
        if not old:
            return 0
        has_models = database.execute("select 1 from sqlite_master where name = 'logged_models'").fetchone()
        database.execute("begin immediate")
        for place in old:
            for statement in (*_STATEMENTS, *([_OF_MODELS] if has_models else [])):
                database.execute(statement, {"old": place, "new": location})
        database.execute("commit")
    _log.warning("the storage root was moved: artifacts of runs are now expected in %s", location)
    return sum(old.values())


_STATEMENTS = (
    "update experiments set artifact_location = :new where artifact_location = :old",
    "update runs set artifact_uri = :new || substr(artifact_uri, length(:old) + 1)"
    " where substr(artifact_uri, 1, length(:old) + 1) = :old || '/'",
)
_OF_MODELS = (
    "update logged_models set artifact_location = :new || substr(artifact_location, length(:old) + 1)"
    " where substr(artifact_location, 1, length(:old) + 1) = :old || '/'"
)


def _is_elsewhere(place: str, location: str) -> bool:
    """Whether it is another root's artifact folder rather than another name of this one's, such as a link."""
    if place == location or not (place.startswith("file:///") and place.endswith(_OURS)):
        return False
    with contextlib.suppress(OSError):
        return not os.path.samefile(_path(place), _path(location))
    return True


def _path(location: str) -> str:
    return unquote(urlsplit(location).path)
