"""What a driver says of a sweep that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, coordinator_of, make_spec, new_sweep
from tuner.backend.ending import NoUsableTrialError, require_usable
from tuner.sweep import events as ev


def test_without_a_usable_trial_the_last_ones_reason_is_told(tmp_path: Path) -> None:
    def fails(params: dict[str, Any], epoch: int) -> float:
        raise ValueError("there is no such layer")

    journal = new_sweep(tmp_path, make_spec(num_trials=3, failures__max_retries=0))
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, fails).run()
    journal.append(ev.SweepEnded(reason="all 3 trials ended"))
    with pytest.raises(NoUsableTrialError) as error:
        require_usable(journal.sweep, journal.folder, None, "")
    told = (
        "sweep test ended without a usable trial: all 3 trials ended; the last one: ValueError: there is no such layer"
    )
    assert str(error.value) == told
    journal.close()
