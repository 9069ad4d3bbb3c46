"""What all workers of a sweep get, its settings and data: written once on this machine, and once on each other node."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from trainables.contract import Data
from tuner.backend import local_ray
from tuner.backend.worker import WORK, Common
from tuner.engine.settings import WorkerSettings
from tuner.inspection.scripts import is_keras_loop
from tuner.processes import data_name, end_own, own_server, why_plain
from tuner.processes.shared import packed, write_packed


@contextmanager
def handed_over(settings: WorkerSettings, data: Data | None, work: str = WORK) -> Iterator[Common]:
    """Hands them over to workers that begin meanwhile.

    A Ray of this driver's own has its workers on this machine, where they open the memory itself. On a cluster the
    first worker of each node gets a copy from Ray's object store, as bytes: nothing of the user's is imported there.
    """
    content = packed((settings, data))
    is_keras = not settings.is_script or is_keras_loop(settings.trainable, settings.sources)
    if not is_keras:
        end_own()  # nothing of it needs TensorFlow
    server, why = own_server(), why_plain(settings.sources, settings.slot.gpus)
    is_local = local_ray.is_running()
    name = data_name(server.token) if server is not None and is_local else uuid.uuid4().hex
    file, reference, path = -1, list[Any](), ""
    if is_local:
        file = write_packed(content)
        path = f"/proc/{os.getpid()}/fd/{file}"
        if server is not None:  # also where workers are plain processes: a fork of it builds the best model
            with suppress(OSError):  # it is asked for again, then
                server.keep_soon(name, file)
    else:
        import ray

        reference = [ray.put(content)]
        if server is not None:  # for the best model, which a class that a program gave builds here alone
            file = write_packed(packed((settings, None)))
            with suppress(OSError):
                server.keep_soon(data_name(server.token), file)
    try:
        yield Common(
            slot=settings.slot,
            trial_timeout_s=settings.trial_timeout_s,
            name=name,
            reference=reference,
            path=path,
            token=server.token if server is not None and is_local else "",
            why_plain=why,
            work=work,
            is_keras=is_keras,
        )
    finally:
        if file >= 0:
            os.close(file)
