"""A sweep's data as MLflow shows them: a data set for each part, and a line. From the journal, without rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.recording.values import shortened

PARTS = ("train", "validation", "test")
_NAME_CHARS_MAX = 400
_PROFILE_CHARS_MAX = 60_000


@dataclass(frozen=True)
class DatasetUsed:
    """A data set of MLflow's, as one part of the data; recording the same one twice has no effect."""

    name: str
    digest: str
    source: str
    profile: str
    context: str
    """train, validation or test."""


def datasets_used(data: Mapping[str, Any], trainable: str) -> list[DatasetUsed]:
    """The parts of the data that a journal tells of; none of an older journal."""
    described, arrays = data.get("described") or {}, data.get("arrays") or {}
    source = str(described.get("source") or (data.get("source") or {}).get("name") or trainable)
    found = []
    for part in PARTS:
        own = {name: array for name, array in arrays.items() if name.partition(".")[0] == part}
        if not own or not described:
            continue
        text = json.dumps(own, sort_keys=True)
        profile = {
            "num_examples": (described.get("examples") or {}).get(part),
            "class_counts": (described.get("class_counts") or {}).get(part),
            "arrays": own,
        }
        shown = json.dumps({name: value for name, value in profile.items() if value is not None})
        found.append(
            DatasetUsed(
                shortened(f"{source[-_NAME_CHARS_MAX:]} ({part})", 450),
                hashlib.sha256(text.encode()).hexdigest()[:16],
                json.dumps({"source": source}),
                shown if len(shown) <= _PROFILE_CHARS_MAX else json.dumps({"num_examples": profile["num_examples"]}),
                part,
            )
        )
    return found
