"""Which ends of a driver KubeRay is to retry: it retries a job whose exit code is not 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import tuner
from tuner.base.errors import (
    NoUsableTrialError,
    ServiceError,
    SpecError,
    SweepHeldError,
    SweepInterrupted,
    TunerError,
    UsageError,
)
from tuner.cli.for_good import exit_code
from tuner.cluster.launched import LAUNCHED

JOB = ["run", "sweep.yaml", "--shipped", "--name", "mine", "--or-resume"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoUsableTrialError("none"), 0),
        (SpecError("spec", ["wrong"]), 0),
        (UsageError("no such file"), 0),
        (SweepInterrupted("sweep mine: interrupted by SIGINT; nothing is lost"), 0),  # `tuner stop`
        (SweepInterrupted("sweep mine: interrupted by SIGTERM; nothing is lost"), 3),  # the pod goes
        (SweepInterrupted("sweep mine: the head is lost"), 3),
        (SweepHeldError("another driver"), 2),  # of the cluster before, which is about to end
        (ServiceError("storage"), 4),
    ],
)
def test_only_what_a_retry_may_mend_is_retried(
    error: TunerError, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code(error, JOB) == expected
    assert exit_code(error, ["run", "sweep.yaml"]) == error.exit_code
    monkeypatch.setenv(LAUNCHED, "mine")  # on a cluster of Ray's launcher, where nothing is retried
    assert exit_code(error, JOB) == error.exit_code


def test_a_wrong_spec_in_a_pod_is_told_and_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text("name: mine\nnum_trials: 0\n")
    said = tuner(*JOB, exit_code=0).stderr
    assert "num_trials: must be at least 1, but got 0" in said
    told = "the sweep has failed: its spec or its code must be mended; then apply it again (exit code 2)."
    assert said.splitlines()[-1].startswith(told)
