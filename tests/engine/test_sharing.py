"""A sweep on machines that would not see its files is refused before there is anything of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import make_spec
from tuner.engine import driver, resources
from tuner.errors import SpecError
from tuner.paths import StorageRoot


class Silent:
    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.fixture
def two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "start_ray", lambda address: None)
    monkeypatch.setattr(resources, "cluster_nodes", lambda: [{"CPU": 2.0}, {"CPU": 2.0}])
    monkeypatch.setattr(resources, "num_hosts", lambda: 2)


@pytest.mark.usefixtures("two_hosts")
def test_two_machines_and_a_local_folder_are_refused_with_all_other_problems(tmp_path: Path) -> None:
    spec = make_spec(objective__metric="val_acuracy")
    with pytest.raises(SpecError) as refused:
        driver.start_sweep(spec, StorageRoot(tmp_path), "sweep.yaml", "10.0.0.1:6379", Silent())  # type: ignore[arg-type]
    told = [problem.split(":")[0] for problem in refused.value.problems]
    assert told == ["objective.metric", "storage", "tracking.uri"] and str(tmp_path) in str(refused.value)
    assert list(tmp_path.iterdir()) == []
