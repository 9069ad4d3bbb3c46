"""The driver: what it does when Tune's loop ends unexpectedly, at a signal, and where a sweep ended meanwhile."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.backend import head, nodes, raylet, session, signals
from tuner.backend.driver import resume_sweep, start_sweep
from tuner.backend.sweep_run import SweepRun
from tuner.base.errors import ServiceError, SweepInterrupted, UsageError
from tuner.engine.slots import Slot
from tuner.inspection import Inspected
from tuner.review.status import find_history
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import History, Journal, lines, read_events
from tuner.sweep import Sweep
from tuner.sweep.events import AnyEvent, SweepEnded, SweepResumed

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


class Watcher:
    """Notes what a driver says, and refuses a display that is started twice."""

    def __init__(self) -> None:
        self.is_on = True

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def training(self, coordinator: Any) -> None:
        assert not self.is_on
        self.is_on = True

    def trained(self) -> None:
        self.is_on = False

    def lost(self, text: str) -> None: ...


def fit_with(monkeypatch: pytest.MonkeyPatch, folder: Path, fit: Any) -> SweepRun:
    from tuner.backend import handover, tune_adapter

    spec = make_spec()
    journal = new_sweep(folder, spec)
    driver = SweepRun(spec, journal, Inspected({}, [], None), None, Watcher())
    monkeypatch.setattr(tune_adapter, "fit", lambda coordinator, *others: fit(coordinator))
    monkeypatch.setattr(handover, "handed_over", lambda *others: nullcontext())
    try:
        driver._fit(driver._settings(Slot(1, 0)))
    finally:
        journal.close()
    return driver


def test_a_loop_that_ends_unexpectedly_is_started_again_from_the_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    def fit(coordinator: Any) -> None:
        seen.append(coordinator)
        assert SimulatedCluster(coordinator, accuracy).run(10 if len(seen) == 1 else 10**6) == (len(seen) == 2)
        if len(seen) == 1:
            coordinator.release_all()
            raise RuntimeError("Caught unexpected exception")

    driver = fit_with(monkeypatch, tmp_path, fit)
    assert len(seen) == 2 and seen[0] is not seen[1]
    assert driver._coordinator.sweep.outcomes()["unfinished"] == 0


@pytest.mark.usefixtures("heeded_sighup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_stops_at_once_when_its_terminal_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    from tuner.backend import tune_adapter

    hurried: list[bool] = []
    monkeypatch.setattr(tune_adapter, "stop_at_once", lambda: hurried.append(True))
    spec = make_spec()
    journal = new_sweep(tmp_path, spec)
    driver = SweepRun(spec, journal, Inspected({}, [], None), None, Watcher())
    driver._is_training = True
    with signals.handled(driver._on_signal):
        signal.raise_signal(number)
    journal.close()
    assert (hurried, driver._coordinator.stopping) == ([True], f"interrupted by {number.name}")


@pytest.mark.parametrize("stopping", [True, False])
def test_it_is_not_started_again_once_the_user_stopped_it_nor_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stopping: bool
) -> None:
    calls = 0

    def fit(coordinator: Any) -> None:
        nonlocal calls
        calls += 1
        if stopping:
            coordinator.stop("interrupted by SIGINT")
        raise RuntimeError("no")

    if stopping:
        fit_with(monkeypatch, tmp_path, fit)
    else:
        with pytest.raises(ServiceError, match="ended with RuntimeError: no; nothing acknowledged is lost"):
            fit_with(monkeypatch, tmp_path, fit)
    assert calls == (1 if stopping else 3)


def test_a_resume_goes_by_what_the_sweep_is_once_nobody_else_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another driver may bring it to its end between the first look and the lease, for which a resume waits."""
    before = new_sweep(tmp_path, make_spec(num_trials=3))

    def waited_for(folder: SweepFolder, on_wait: Any, known: History) -> Journal:
        coordinator = coordinator_of(before)
        assert SimulatedCluster(coordinator, accuracy).run()
        coordinator.close()
        before.close()
        return Journal(folder, on_wait=on_wait, known=known)

    monkeypatch.setattr("tuner.backend.driver.Journal", waited_for)
    seen: list[int] = []

    def no_changes(sweep: Sweep) -> dict[str, Any]:
        seen.append(len(sweep.trials))
        return {}

    ended = resume_sweep(before.folder, None, Watcher(), no_changes)
    assert ended.sweep.ended is not None and ended.sweep.ended.state == "finished" and seen == [0, 3]
    events = read_events(before.folder)
    assert isinstance(events[-1], SweepEnded) and not any(isinstance(event, SweepResumed) for event in events)
    Journal(before.folder).close()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_resume_reads_the_journal_once(is_told: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To refuse early, before it holds the lease; under the lease nothing is read again."""
    journal = new_sweep(tmp_path, make_spec(num_trials=8))
    assert not SimulatedCluster(coordinator_of(journal), accuracy).run(15)
    journal.close()
    read: list[int] = []
    real = lines.decode

    def decode(*args: Any) -> list[AnyEvent]:
        events = real(*args)
        read.extend(event.seq for event in events)
        return events

    monkeypatch.setattr(lines, "decode", decode)
    seen: list[Sweep] = []

    def changes(sweep: Sweep) -> dict[str, Any]:
        seen.append(sweep)
        if len(seen) == 2:
            raise UsageError("far enough")
        return {"num_trials": 9}

    known = find_history(journal.folder.root, "test") if is_told else None
    with pytest.raises(UsageError, match="far enough"):
        resume_sweep(journal.folder, None, Watcher(), changes, known=known)
    assert read == [event.seq for event in journal.events] and seen[0] is seen[1]


def test_a_ray_that_does_not_start_leaves_no_sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def start_ray(address: str | None, note: Any, requirements: Any = ()) -> None:
        raise ServiceError("Ray does not start on this machine")

    monkeypatch.setattr(session, "start_ray", start_ray)
    with pytest.raises(ServiceError, match="Ray does not start"):
        start_sweep(make_spec(), StorageRoot(tmp_path), "sweep.yaml", "local", Watcher())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_new_sweep_that_an_error_ends_before_its_first_trial_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_interrupted: bool
) -> None:
    """One that the user stopped stays, to be resumed."""
    from tuner.backend import tune_adapter

    def fit(coordinator: Any, *others: Any) -> None:
        if is_interrupted:
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("no space left on device")

    monkeypatch.setattr(tune_adapter, "fit", fit)
    monkeypatch.setattr(session, "has_ray", lambda: True)
    monkeypatch.setattr(nodes, "cluster_nodes", lambda: [{"CPU": 2.0}])
    monkeypatch.setattr(nodes, "head_address", lambda: "")
    for module in (head, raylet):
        monkeypatch.setattr(module, "watched", lambda *_: nullcontext())
    watcher = Watcher()
    watcher.is_on = False
    spec = make_spec()
    with pytest.raises(SweepInterrupted if is_interrupted else ServiceError) as ended:
        start_sweep(spec, StorageRoot(tmp_path), "sweep.yaml", "local", watcher)
    said, folder = str(ended.value), tmp_path / spec.name
    assert folder.exists() == is_interrupted and not list(tmp_path.glob(".*.gone"))
    assert said.endswith("the same call, as the sweep had not begun") != is_interrupted
