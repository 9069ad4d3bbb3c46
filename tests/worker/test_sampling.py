"""Samples of a node's processors, memory, disk, network and cards, taken for real; cards are pretended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import wait_until
from tests.worker.test_gpus import pretend_nvidia_smi
from tuner.worker import sampling
from tuner.worker.sampling import Sample, Sampler

NAMES = {
    "cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage",
    "disk_usage_percentage", "disk_usage_megabytes", "disk_available_megabytes",
    "network_receive_megabytes", "network_transmit_megabytes",
}  # fmt: skip
"""Of MLflow's own monitors."""


def test_a_short_trial_has_one_sample_and_the_next_one_its_own() -> None:
    sampler = Sampler([])
    for _ in range(2):
        sampler.begin_trial()
        assert sampler.taken(may_be_last=False) == ()
        [sample] = sampler.taken(may_be_last=True)
        assert sample.keys() == NAMES | {"ago_s"}
        assert 0 <= sample["cpu_utilization_percentage"] <= 100 and 0 <= sample["ago_s"] < 60
        assert sample["system_memory_usage_megabytes"] > 10 and sample["network_receive_megabytes"] >= 0
        assert sampler.taken(may_be_last=True) == ()


def sampled(sampler: Sampler) -> Iterator[Sample]:
    while True:
        yield from sampler.taken(may_be_last=False)


def test_a_long_trial_is_sampled_while_it_trains() -> None:
    sampler = Sampler([], every_s=0.01)
    sampler.begin_trial()
    found = sampled(sampler)
    first, second = next(found), next(found)
    assert first.keys() == second.keys() == NAMES | {"ago_s"}


def test_one_long_epoch_has_a_bounded_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLES_MAX", 8)
    sampler = Sampler([], every_s=0.001)
    sampler.begin_trial()
    wait_until(lambda: sampler._period_s > 0.002)
    assert 0 < len(sampler.taken(may_be_last=False)) < 8


def test_the_trials_cards_are_sampled_and_numbered_from_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_nvidia_smi(tmp_path, monkeypatch, "echo '37, 1000, 16000, 71.5'; echo '0, 0, 16000, [N/A]'")
    sampler = Sampler(["2", "3"])
    sampler.begin_trial()
    [sample] = sampler.taken(may_be_last=True)
    assert (tmp_path / "asked").read_text().split()[-1] == "--id=2,3"
    assert {name: value for name, value in sample.items() if name.startswith("gpu_")} == {
        "gpu_0_utilization_percentage": 37.0,
        "gpu_0_memory_usage_megabytes": 1048.6,
        "gpu_0_memory_usage_percentage": 6.2,
        "gpu_0_power_usage_watts": 71.5,
        "gpu_1_utilization_percentage": 0.0,
        "gpu_1_memory_usage_megabytes": 0.0,
        "gpu_1_memory_usage_percentage": 0.0,
    }


def test_a_card_that_tells_some_figures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MIG has no utilization, and memory that is shared with the system has no size."""
    pretend_nvidia_smi(tmp_path, monkeypatch, "echo '[N/A], 500, 1000, 50'; echo '7, [Not Supported], [N/A], ERR!'")
    sampler = Sampler(["0", "1"])
    [sample] = sampler.taken(may_be_last=True)
    assert {name: value for name, value in sample.items() if name.startswith("gpu_")} == {
        "gpu_0_memory_usage_megabytes": 524.3,
        "gpu_0_memory_usage_percentage": 50.0,
        "gpu_0_power_usage_watts": 50.0,
        "gpu_1_utilization_percentage": 7.0,
    }


def test_the_processors_share_counts_from_the_trials_begin_in_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: num_threads() == 0)  # of the tests before
    busy = iter([(0.0, 0.0), (1.0, 4.0), (4.0, 8.0)])
    monkeypatch.setattr(sampling, "_cpu_seconds", lambda: next(busy))
    sampler = Sampler([])
    thread = threading.Thread(target=sampler._sample)
    thread.start()
    thread.join()
    sampler._sample()
    assert [sample["cpu_utilization_percentage"] for sample in sampler.taken(may_be_last=False)] == [25.0, 75.0]


def num_threads() -> int:
    return sum(thread.name == "tuner-sampling" for thread in threading.enumerate())


def test_its_thread_ends_with_the_sampler() -> None:
    wait_until(lambda: num_threads() == 0)
    sampler = Sampler([])
    assert num_threads() == 1
    del sampler
    wait_until(lambda: num_threads() == 0)


def test_a_system_that_does_not_tell_its_traffic_tells_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError("/proc/net/dev")

    monkeypatch.setattr(sampling.psutil, "net_io_counters", refuse)
    sampler = Sampler([])
    [sample] = sampler.taken(may_be_last=True)
    assert sample.keys() - {"cpu_utilization_percentage"} == {
        name for name in NAMES if name.startswith(("sys", "disk"))
    } | {"ago_s"}


@pytest.mark.parametrize("script", ["exit 9", "echo nothing", "echo '1, 2'"])
def test_cards_that_tell_nothing_leave_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    pretend_nvidia_smi(tmp_path, monkeypatch, script)
    sampler = Sampler(["0"])
    sampler.begin_trial()
    [sample] = sampler.taken(may_be_last=True)
    assert sample.keys() == NAMES | {"ago_s"}
