"""A sweep on GPUs that Ray only counts: its workers get them, find none, and say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.backend.clusters import cluster_of
from tests.sweeps.conftest import Cli
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_workers_that_find_no_card_train_on_the_cpu_and_say_so(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    with cluster_of(num_cpus=2, num_gpus=1) as cluster:
        cli.address = cluster.address
        done = cli("run", tiny_spec(num_trials=2, epochs={"max": 1}, resources={"gpus_per_trial": 0.5}))
    assert "it has 0.5 GPUs, but TensorFlow sees 0: it trains on the CPU" in " ".join(done.stderr.split())
    assert cli.json("show", "tiny")["outcomes"]["completed"] == 2
    started = [event for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)]
    assert [event.gpus for event in started] == [["0"], ["0"]]


def test_a_trial_that_needs_more_gpus_than_any_node_has_is_refused(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    said = cli("run", tiny_spec(resources={"gpus_per_trial": 2}), exit_code=2).stderr
    assert "resources: a trial takes 1 CPUs and 2 GPUs, but no node has as many" in " ".join(said.split())
    assert not cli.folder("tiny").exists()
