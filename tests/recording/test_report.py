"""Whose page becomes the report in MLflow: the driver's, if it is of this end of the sweep; else the recorder's own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.recording import report as module
from tuner.recording.report import Reports
from tuner.report import report_page
from tuner.storage import SweepFolder, write_atomically
from tuner.sweep import Sweep


@pytest.fixture
def ended(tmp_path: Path) -> tuple[SweepFolder, Sweep]:
    journal = new_sweep(tmp_path, make_spec(num_trials=3))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    return journal.folder, coordinator.sweep


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "report", lambda sweep, state, folder: "the recorder's own")


def write(folder: SweepFolder, page: str) -> None:
    write_atomically(folder.report, page.encode(), folder.base)


def test_the_page_that_the_driver_writes_is_waited_for(ended: tuple[SweepFolder, Sweep]) -> None:
    folder, sweep = ended
    page = report_page(sweep, "finished")
    timer = threading.Timer(0.2, write, [folder, page])
    timer.start()
    assert Reports(folder, waits_s=60.0).text(sweep, "finished") == page
    timer.join()


def test_a_page_of_another_time_or_sweep_is_not_taken(ended: tuple[SweepFolder, Sweep], tmp_path: Path) -> None:
    folder, sweep = ended
    reports = Reports(folder, waits_s=0.0)
    assert reports.text(sweep, "finished") == "the recorder's own"
    page = report_page(sweep, "finished")
    for other in (
        page.replace(f" {sweep.num_events}", f" {sweep.num_events - 1}", 1),
        page.replace(sweep.sweep_id, "1" * 32, 1),
        page.replace("tuner-journal", "another", 1).replace("</body>", f"{page[: page.find('</head>')]}</body>"),
        "",
    ):
        write(folder, other)
        assert reports.text(sweep, "finished") == "the recorder's own"
    (tmp_path / "elsewhere.html").write_text(page)
    folder.report.unlink()
    folder.report.symlink_to(tmp_path / "elsewhere.html")
    assert reports.text(sweep, "finished") == "the recorder's own"


def test_a_sweep_that_goes_on_has_no_page_to_wait_for(ended: tuple[SweepFolder, Sweep]) -> None:
    folder, sweep = ended
    sweep.ended = None
    assert Reports(folder, waits_s=3600.0).text(sweep, "finished") == "the recorder's own"
