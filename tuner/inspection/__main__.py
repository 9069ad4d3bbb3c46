"""The child process: a spec on standard input; what was found goes into the open file with the number given."""

from __future__ import annotations

import json
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace

from tuner.inspection.examine import inspect
from tuner.spec import spec_from_mapping


def main() -> None:
    """Writes what was found, then the data, and leaves at once: threads and exit hooks of user code hold up nobody."""
    found = inspect(spec_from_mapping(json.load(sys.stdin)), tries_model="--model" in sys.argv)
    with open(int(sys.argv[1]), "wb") as file:
        pickle.dump(replace(found, data=None), file, protocol=5)
        with suppress(Exception):  # data of a kind that cannot be handed over: the workers load it themselves
            pickle.dump(found.data, file, protocol=5)
    os._exit(0)


if __name__ == "__main__":
    main()
