"""How a view of MLflow's page of runs is written into a tag of the experiment.

MLflow 3.17 lists a view in the page's menu "Views" if the tag holds its name, a time and its state as text; earlier
versions read the state's fields from the tag itself. So the tag holds both. Where that is too long, it holds the state
alone: the address still opens it, but the menu does not list it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

TAG = "mlflow.sharedViewState."
CHARS_MAX = 5000
"""What an experiment's tag holds on every server."""
LISTED_MAX = 20
"""Sweeps of an experiment whose views are listed. MLflow saves no more where 40 are listed: people save some."""
_OWN = "tuner-"
_LISTING = ("name", "createdAt", "updatedAt", "state")


def tag_name(sweep_id: str) -> str:
    """The tag of a sweep's view."""
    return f"{TAG}{view_key(sweep_id)}"


def view_key(sweep_id: str) -> str:
    """What names the view in an address."""
    return f"{_OWN}{sweep_id}"


def view_text(state: Mapping[str, Any], name: str, at_ms: int) -> str:
    """A view's state as a tag's text, listed under a name, if it is short enough for that."""
    listing = {"name": name, "createdAt": at_ms, "updatedAt": at_ms, "state": _compressed(_json(state))}
    for text in (_json({**listing, **state}), _json(state)):
        if len(text) <= CHARS_MAX:
            return text
    return _compressed(_json(state))


def text_to_set(tag: str, text: str, tags: Mapping[str, str]) -> str | None:
    """What a view's tag shall hold in an experiment that has these tags; None if it stays as it is.

    A view that somebody has changed in MLflow is theirs.
    """
    current = tags.get(tag)
    if current is not None and _is_changed(current):
        return None
    others = sum(name.startswith(f"{TAG}{_OWN}") and name != tag and _is_listed(tags[name]) for name in tags)
    wanted = text if others < LISTED_MAX else _unlisted(text)
    return None if wanted == current else wanted


def _unlisted(text: str) -> str:
    read = _read(text)
    return _json({key: value for key, value in read.items() if key not in _LISTING}) if read else text


def _is_listed(text: str) -> bool:
    return "state" in _read(text)


def _is_changed(text: str) -> bool:
    """Whether MLflow's page has written it: it writes none of the state's fields beside a view's name."""
    read = _read(text)
    return "state" in read and "searchFilter" not in read


def _read(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _compressed(text: str) -> str:
    """As MLflow's page compresses a state."""
    return "deflate;" + base64.b64encode(zlib.compress(text.encode(), 9)).decode()
