"""The child process: a spec and its trainable's code on standard input; the findings go to the open file by number.

The file holds what was found, then the data, then what a batch of training showed. A driver has the same done by a fork
of its process that has imported TensorFlow (`forked`).
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import IO, Any

from trainables.contract import Data
from trainables.learned import Learned
from tuner.inspection.child import Asked, end_as, imports_keras, in_fork
from tuner.inspection.examine import inspect
from tuner.inspection.hanging import answer_where
from tuner.inspection.inspected import Inspected
from tuner.inspection.opened import opened_files, watched
from tuner.inspection.trying import Tried, loading_failed, try_out
from tuner.inspection.workplace import Place, load_instance, with_data
from tuner.processes import wire
from tuner.spec import SweepSpec, spec_from_mapping


def main() -> None:
    """Answers as a process of its own, and leaves at once: threads and exit hooks of user code hold up nobody."""
    asked: Asked = pickle.load(sys.stdin.buffer)  # our own parent wrote it a moment ago
    with open(int(sys.argv[1]), "r+b") as file:
        _answer(asked, file)
    os._exit(0)


def forked(connection: socket.socket, kept: dict[str, int]) -> None:
    """Answers as a fork that gets the question, and the file, through a connection."""
    asked, [number] = wire.receive(connection)
    with open(number, "r+b") as file:
        _answer(asked, file)


def _answer(asked: Asked, file: IO[bytes]) -> None:
    """Writes what is found.

    Where a batch is to be trained, a fork looks at the trainable and loads the data, so that nothing of that is left in
    the process that trains, as nothing is in workers.
    """
    answer_where()
    spec = spec_from_mapping(asked.spec)
    sys.path += [path for path in asked.paths if path not in sys.path]
    if asked.is_tried:
        _look_and_try(spec, asked, file)
    else:
        _look(spec, asked, file)


def _look(spec: SweepSpec, asked: Asked, file: IO[bytes]) -> None:
    with watched() if asked.is_watched else nullcontext():
        found = inspect(spec, asked.sources, is_tried=asked.is_tried)
    found = replace(found, opened=opened_files()) if asked.is_watched else found
    pickle.dump(replace(found, data=None), file, protocol=5)
    with suppress(Exception):  # data of a kind that cannot be handed over: the workers load it themselves
        pickle.dump(found.data, file, protocol=5)
    file.flush()


def _look_and_try(spec: SweepSpec, asked: Asked, file: IO[bytes]) -> None:
    from trainables.process import set_up_process

    if asked.is_looked_at:
        set_up_process(spec.resources.threads, spec.deterministic)
    else:
        is_ready = imports_keras(spec.trainable, asked.sources)
        if is_ready:
            set_up_process(spec.resources.threads, spec.deterministic)
        look = in_fork(lambda: _look(spec, asked, file))
        if not is_ready:  # while the data are loaded
            set_up_process(spec.resources.threads, spec.deterministic)
        end_as(look, lambda: file.seek(0, os.SEEK_END) > 0)
    file.seek(0)
    found = pickle.load(file)
    data = _taken(file)
    if isinstance(found, Inspected) and not found.problems and not found.is_script:
        with watched() if asked.is_watched else nullcontext():
            tried = _tried(found.whole(spec), asked, data, found.learned)
        tried = replace(tried, opened=opened_files()) if asked.is_watched else tried
        pickle.dump(tried, file)


def _taken(file: IO[bytes]) -> Any:
    """The data; None, for good, if only the process that loaded them knows what they are."""
    begin = file.tell()
    try:
        return pickle.load(file)
    except Exception:
        file.seek(begin)
        file.truncate()
        pickle.dump(None, file)
        return None


def _tried(spec: SweepSpec, asked: Asked, data: Data | None, learned: Learned) -> Tried:
    given = pickle.loads(asked.given) if asked.given else None
    place = Place(spec.trainable, spec.data, asked.sources, given, asked.import_folder, learned, spec.space.fixed)
    try:
        trainable = load_instance(place)
        used = with_data(trainable, data, place.learned)
    except (Exception, SystemExit) as error:
        return loading_failed(error, spec.trainable)
    return try_out(spec, trainable, used)


if __name__ == "__main__":
    main()
