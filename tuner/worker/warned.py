"""Warnings of Keras and TensorFlow among what a trial prints, without what differs from one process to the next."""

from __future__ import annotations

import re

WARNINGS_MAX = 50
"""Of one process; later ones are only in what it prints."""
_FRAMEWORKS = r"(?:keras|tensorflow|tensorboard|absl)"
_WARNINGS = (
    re.compile(rf"^\S*\b{_FRAMEWORKS}\b\S*:\d+: (\w*Warning: .+)"),  # warnings.warn
    re.compile(rf"^WARNING:({_FRAMEWORKS}:.+)"),  # logging
    re.compile(rf"^[-\d]+ [\d:.]+: W (?:external/)?\S*{_FRAMEWORKS}\S*\] (.+)"),  # TensorFlow's C++
    re.compile(r"^W0000 [\d:.]+\s+\d+ \S+\] (.+)"),  # the same, by absl
)
_OF_NEW_MODELS = re.compile(
    r"tensorflow:\d+ out of the last \d+ calls to <function TensorFlowTrainer\..* triggered tf\.function retracing"
)
"""Keras traces each trial's model, as it must; TensorFlow takes their functions for one."""


def warnings_in(lines: bytes) -> list[str]:
    """The warnings in whole lines, each once."""
    found = dict.fromkeys(_warning(line) for line in lines.decode("utf-8", "replace").splitlines())
    return [text for text in found if text]


def _warning(line: str) -> str:
    """The text of a warning; empty for any other line."""
    for kind in _WARNINGS:
        if match := kind.match(line):
            return "" if _OF_NEW_MODELS.match(match[1]) else match[1].strip()
    return ""
