"""Command lines of earlier versions that still work."""

from __future__ import annotations

import shlex

from tuner.base.secrets import redacted
from tuner.base.text import harmless
from tuner.cli.output import people


def redirected(arguments: list[str]) -> list[str]:
    """What `tuner launch SPEC --kubernetes …` is now: `tuner kubernetes SPEC …`. Other command lines stay as they are.

    A RayJob always resumes a sweep that exists, so `--or-resume` has no counterpart.
    """
    command, *rest = arguments or [""]
    if command != "launch" or "--kubernetes" not in rest:
        return arguments
    now = ["kubernetes", *(word for word in rest if word not in ("--kubernetes", "--or-resume"))]
    people.print(harmless(redacted(f"`tuner launch --kubernetes` has moved; this runs: tuner {shlex.join(now)}")))
    return now
