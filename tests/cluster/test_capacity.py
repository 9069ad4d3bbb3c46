"""How many trials run at the same time on a cluster file's node types, and what of these stays idle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.cluster.capacity import Capacity, capacity, idle_card_problems

TYPES: dict[str, dict[str, Any]] = {
    "head": {"resources": {"CPU": 4}},
    "gpu": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 3},
    "big": {"resources": {"CPU": 64, "GPU": 8}, "max_workers": 2},
    "cpu": {"resources": {"CPU": 16}},
}


def of(resources: dict[str, Any], max_workers: int = 8, **changes: dict[str, Any]) -> Capacity:
    types = {name: {**node, **changes.get(name, {})} for name, node in TYPES.items()}
    cluster = {"head_node_type": "head", "max_workers": max_workers, "available_node_types": types}
    return capacity(make_spec(resources=resources), cluster)


def test_the_nodes_with_room_for_most_trials_are_taken_first_as_far_as_the_limits_go() -> None:
    halves = {"gpus_per_trial": 0.5, "cpus_per_trial": 2}
    assert [of(halves, limit).slots for limit in (0, 1, 2, 3, 5, 8)] == [0, 16, 32, 34, 38, 38]
    cpus = {"gpus_per_trial": 0, "cpus_per_trial": 4}
    assert [of(cpus, limit).slots for limit in (0, 1, 2, 3, 8)] == [1, 17, 33, 37, 1 + 32 + 6 * 4]
    assert of(cpus, 3, head={"max_workers": 1}, big={"max_workers": 0}, cpu={"max_workers": 0}).slots == 1 + 3 * 2
    assert of(cpus, 8, head={"max_workers": 1}, big={"max_workers": 0}, cpu={"max_workers": 0}).slots == 1 + 3 * 2 + 1


def test_nodes_that_are_always_there_leave_less_room_for_those_that_trials_need() -> None:
    halves = {"gpus_per_trial": 0.5, "cpus_per_trial": 2}
    assert of(halves, 3, cpu={"min_workers": 2}).slots == 16
    assert of(halves, 3, gpu={"min_workers": 1}, big={"min_workers": 1}).slots == 34
    assert of(halves, 3, gpu={"min_workers": 2}).slots == 16 + 4


def test_a_type_that_does_not_say_what_it_has_leaves_the_number_open_unless_there_are_none_of_it() -> None:
    assert of({}, gpu={"resources": {"GPU": 1}}).slots is None
    assert of({}, gpu={"resources": {"GPU": 1}, "max_workers": 0}).slots is not None
    assert capacity(make_spec(), {"provider": {"type": "local"}}).slots is None


def test_trials_that_fit_nowhere_are_told_with_what_there_is() -> None:
    found = of({"gpus_per_trial": 9, "cpus_per_trial": 2}, cpu={"max_workers": 0})
    assert (found.slots, found.warnings) == (0, [])
    has = "head: 4 CPUs, 0 GPUs; gpu: 8 CPUs, 1 GPUs; big: 64 CPUs, 8 GPUs"
    assert found.problems == [f"resources: a trial takes 2 CPUs and 9 GPUs, but no node type has as many ({has})"]


@pytest.mark.parametrize(
    ("resources", "warnings"),
    [
        ({"gpus_per_trial": 0.5, "cpus_per_trial": 4}, []),
        ({"gpus_per_trial": 1, "cpus_per_trial": 4}, []),
        ({"gpus_per_trial": 0, "cpus_per_trial": 4}, [
            f"resources: trials without a GPU leave the GPUs of node type {name} idle" for name in ("gpu", "big")
        ]),
        ({"gpus_per_trial": 0.25, "cpus_per_trial": 4}, [
            "resources.cpus_per_trial: node type gpu has CPUs for 2 trials, but GPUs for 4",
            "resources.cpus_per_trial: node type big has CPUs for 16 trials, but GPUs for 32",
        ]),
        ({"gpus_per_trial": 3, "cpus_per_trial": 4}, [
            "resources.gpus_per_trial: 2 of 8 GPUs of node type big stay idle",
        ]),
    ],
)  # fmt: skip
def test_what_no_trial_uses_is_told(resources: dict[str, Any], warnings: list[str]) -> None:
    assert of(resources).warnings == warnings
    assert not any("node type big" in line for line in of(resources, big={"max_workers": 0}).warnings)


@pytest.mark.parametrize("fraction", [0, 1, 2, 0.5, 0.33, 0.25, 0.95, 0.2, 1 / 3])
def test_a_fraction_that_adds_up_to_all_but_a_card_is_no_problem(fraction: float) -> None:
    assert idle_card_problems(make_spec(resources={"gpus_per_trial": fraction})) == []


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.9, "1 trial fits on one with 0.9 each, and 0.1 of it stays idle; take 1 or 0.5"),
        (0.4, "2 trials fit on one with 0.4 each, and 0.2 of it stays idle; take 0.5 or 0.3333"),
    ],
)
def test_a_fraction_that_leaves_much_of_a_card_idle_is_told_with_those_around_it(fraction: float, said: str) -> None:
    [problem] = idle_card_problems(make_spec(resources={"gpus_per_trial": fraction}))
    assert problem == f"resources.gpus_per_trial: must add up to a whole card, but {said}"
