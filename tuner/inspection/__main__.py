"""The child process: a spec on standard input; what was found goes into the open file with the number given."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace

from tuner.inspection.examine import inspect
from tuner.spec import spec_from_mapping


def main() -> None:
    found = inspect(spec_from_mapping(json.load(sys.stdin)))
    with open(int(sys.argv[1]), "wb") as file:
        try:
            pickle.dump(found, file, protocol=5)
        except Exception:  # data of a kind that cannot be handed over: the workers load it themselves
            file.seek(0)
            file.truncate()
            pickle.dump(replace(found, data=None), file, protocol=5)


if __name__ == "__main__":
    main()
