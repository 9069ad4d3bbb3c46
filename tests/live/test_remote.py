"""Sweeps on an object store are followed with few requests, and read again when another takes the name."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.objectstore import S3Server
from tests.simulation import make_spec
from tests.storage.journal.making import folder_in, suggested
from tuner.live import followed
from tuner.live.followed import Followed
from tuner.spec import dump_yaml
from tuner.storage.journal import Journal, create_sweep
from tuner.sweep import events as ev


def new_sweep(root: str) -> Journal:
    spec = make_spec().resolved()
    return create_sweep(
        folder_in(root), dump_yaml(spec), ev.SweepStarted(spec=spec, versions={}, seed=3, sweep_id="0" * 32)
    )


pytestmark = pytest.mark.slow(8)


def test_a_look_costs_requests_once_in_a_while_only(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    one = Followed(folder_in(s3_root))
    with closing(new_sweep(s3_root)) as journal:
        one.look()
        s3_server.faults.before = lambda method, path: asked.append(path)
        for _ in range(5):
            one.look()
        s3_server.faults.before = None
        assert [path for path in asked if "/journal" in path] == []
        monkeypatch.setattr(followed, "REMOTE_LOOK_S", 0.0)
        for trial in range(3):
            journal.append(suggested(trial))
            one.look()
        assert one.num_read == 4 and not one.error
    folder = folder_in(s3_root).path
    folder.fs.rm(folder.path, recursive=True)
    folder.fs.invalidate_cache()
    with closing(new_sweep(s3_root)):
        one.look()
        assert one.num_read == 5 and not one.error and one.place.startswith("0" * 32 + " 1 ")
