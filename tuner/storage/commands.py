"""How to call this program from the user's shell, so that commands in messages can be pasted."""

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
    """`tuner` if it is on the PATH, else the path by which it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("tuner")
    if called.name != "tuner" or (found and Path(found).resolve() == called.resolve()):
        return "tuner"
    return shlex.quote(os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called))


ASKED_BY = "TUNER_ASKED_BY"
"""Set when a command runs on a cluster's head for a user elsewhere: the option that makes theirs find the sweep."""


def storage_option(root: StorageRoot) -> str:
    """The option that makes a command find this root; empty if none is needed."""
    if option := os.environ.get(ASKED_BY):
        return f" {option}"
    # Compare URLs: the client of a store changes the options of a path, which are part of its equality.
    return "" if root.url == StorageRoot.resolve().url else f" --storage {shlex.quote(str(root.path))}"


def resume_command(name: str, root: StorageRoot, address: str | None = None) -> str:
    """What resumes a sweep: a command at a shell, a call in Python."""
    if is_command_line():
        return f"{program()} resume {name}{storage_option(root)}{address_option(address)}"
    places = {"storage": None if root.url == StorageRoot.resolve().url else str(root.path), "address": address}
    keywords = [option(keyword, place) for keyword, place in places.items() if place is not None]
    return f"tuner.resume({', '.join([json.dumps(name), *keywords])})"


def address_option(address: str | None) -> str:
    """The option that makes a command join this Ray cluster; empty if none was named."""
    return "" if address is None else f" --address {shlex.quote(address)}"
