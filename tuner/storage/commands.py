"""How this program is called from where the user stands, so that a command we print can be pasted."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from tuner.base.hints import is_command_line, option
from tuner.storage import StorageRoot


def program() -> str:
    """`tuner` where that is found on the PATH, else the path by which it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("tuner")
    if called.name != "tuner" or (found and Path(found).resolve() == called.resolve()):
        return "tuner"
    return shlex.quote(os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called))


ASKED_BY = "TUNER_ASKED_BY"
"""Set where a command runs on a cluster's head for people elsewhere: the option that brings theirs to the sweep."""


def storage_option(root: StorageRoot) -> str:
    """What to add to a command so that it finds this root; empty if it does by itself."""
    if option := os.environ.get(ASKED_BY):
        return f" {option}"
    # By their URLs: a store's client writes into the options of its paths, which are a part of them.
    return "" if root.url == StorageRoot.resolve().url else f" --storage {shlex.quote(str(root.path))}"


def resume_command(name: str, root: StorageRoot, address: str | None = None) -> str:
    """What resumes a sweep: a command at a shell, a call in Python."""
    if is_command_line():
        return f"{program()} resume {name}{storage_option(root)}{address_option(address)}"
    places = {"storage": None if root.url == StorageRoot.resolve().url else str(root.path), "address": address}
    keywords = [option(keyword, place) for keyword, place in places.items() if place is not None]
    return f"tuner.resume({', '.join([json.dumps(name), *keywords])})"


def address_option(address: str | None) -> str:
    """What to add to a command so that it joins this Ray cluster; empty if none was named."""
    return "" if address is None else f" --address {shlex.quote(address)}"
