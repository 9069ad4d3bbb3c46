"""What `tuner show` says of importance: found for JSON, and for people where it costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.analysis import importance
from tuner.analysis.importance_values import Importance, Unknown
from tuner.review import status
from tuner.storage import StorageRoot


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def trained(root: Path, num_trials: int) -> None:
    journal = new_sweep(root, make_spec(num_trials=num_trials))
    SimulatedCluster(coordinator_of(journal), accuracy).run()
    journal.close()


def test_json_has_shares_and_people_see_them_once_they_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path, 48)
    folder, sweep = status.open_sweep(StorageRoot.resolve(str(tmp_path)), "test")
    assert status.known_importance(sweep) is None
    shown = status.show(folder, sweep)
    assert next(iter(shown["importance"])) == "learning_rate"
    assert sum(share["value"] for share in shown["importance"].values()) == pytest.approx(1, abs=1e-9)
    assert all(list(share) == ["value", "low", "high"] for share in shown["importance"].values())
    monkeypatch.setattr(importance, "weigh", lambda trials: pytest.fail("was weighed again"))
    assert status.show(folder, sweep) == shown
    assert isinstance(status.known_importance(sweep), Importance)
    assert "importance" not in status.glance(folder, sweep)


def test_few_trials_are_null_and_say_why(tmp_path: Path) -> None:
    trained(tmp_path, 9)
    folder, sweep = status.open_sweep(StorageRoot.resolve(str(tmp_path)), "test")
    assert status.show(folder, sweep)["importance"] is None
    few = Unknown("cannot tell yet: 9 trials have a result, 12 are needed", 9)
    assert status.known_importance(sweep) == few and not (tmp_path / "cache").exists()
