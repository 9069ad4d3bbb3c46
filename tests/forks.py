"""Fresh processes that have imported TensorFlow and Keras, and nothing of this project: forks of one that has."""

from __future__ import annotations

import atexit
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_lock = threading.Lock()


def run_forked(file: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Runs a Python file as `python file arguments` does; what it printed. Its errors fail the test."""
    with tempfile.TemporaryDirectory() as folder, _lock:
        out, errors = Path(folder, "out"), Path(folder, "errors")
        asked = {
            "argv": [str(file), *arguments],
            "out": str(out),
            "errors": str(errors),
            "set": {**(environment or {})},
        }
        server = _server()
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = json.loads(server.stdout.readline())
        assert code == 0, f"exit code {code}: {errors.read_text()}"
        return out.read_text()


@cache
def _server() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.getcwd()},
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait()


def _serve() -> None:
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(asked)
        json.dump(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), answers)
        answers.write("\n")
        answers.flush()


def _become(asked: dict[str, Any]) -> None:
    code = 1
    try:
        for number, path in ((0, os.devnull), (1, asked["out"]), (2, asked["errors"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        os.environ.update(asked["set"])
        sys.argv = asked["argv"]
        runpy.run_path(asked["argv"][0], run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
