"""The child process: a spec and its trainable's code on standard input; the findings go to the open file by number."""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace

from tuner.inspection.examine import inspect
from tuner.spec import spec_from_mapping


def main() -> None:
    """Writes what was found, then the data, and leaves at once: threads and exit hooks of user code hold up nobody."""
    spec, sources = pickle.load(sys.stdin.buffer)  # our own parent wrote it a moment ago
    found = inspect(spec_from_mapping(spec), sources, tries_model="--model" in sys.argv)
    with open(int(sys.argv[1]), "wb") as file:
        pickle.dump(replace(found, data=None), file, protocol=5)
        with suppress(Exception):  # data of a kind that cannot be handed over: the workers load it themselves
            pickle.dump(found.data, file, protocol=5)
    os._exit(0)


if __name__ == "__main__":
    main()
