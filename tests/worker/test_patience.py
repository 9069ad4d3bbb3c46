"""A loop of a user's own that no longer improves: its worker waits for the answer, and the loop is told to stop."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from trainables.scripts import process
from tuner.base.patience import Patience
from tuner.engine.messages import Assignment
from tuner.engine.settings import WorkerSettings
from tuner.engine.slots import Slot
from tuner.worker import training
from tuner.worker.training import Place, Training

LOOP = """
    def main(params, report):
        for epoch in range(1, params.epochs + 1):
            if not report(epoch, {"val_loss": [0.5, 0.4, 0.45, 0.41, 0.42, 0.3][epoch - 1]}):
                open("stopped", "a").write(f"{epoch} ")
                break
"""


def test_a_loop_is_told_to_stop_where_it_no_longer_improves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 5.0)
    monkeypatch.setattr("trainables.scripts.trainer.GRACE_S", 5.0)
    monkeypatch.setattr(training, "REPORT_EVERY_S", 60.0)
    (tmp_path / "train.py").write_text(textwrap.dedent(LOOP))
    settings = WorkerSettings(
        trainable=f"{tmp_path / 'train.py'}:main", data=None, metric="val_loss", mode="min", precision="float32",
        sweep=str(tmp_path / "sweep"), slot=Slot(1, 0), is_script=True, work_folder=str(tmp_path),
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    worker = Training(settings, None, Place("here"))
    worker.take(Assignment(0, 1, {"epochs": 6}, 0, 6, frozenset(), patience=Patience(3)))
    assert worker.step().goes_on  # it is ready
    report = worker.step()
    assert [epoch.epoch for epoch in report.epochs] == [1, 2, 3, 4, 5] and not report.goes_on
    worker.take(Assignment(1, 1, {"epochs": 1}, 0, 1, frozenset()))  # as the policy stopped it
    assert [epoch.epoch for epoch in worker.step().epochs] == [1]
    assert (tmp_path / "stopped").read_text().startswith("5 ")
    worker._trainer.end()
