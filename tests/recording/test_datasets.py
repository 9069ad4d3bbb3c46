"""A sweep's data in MLflow: a data set for each part, a line and a file; the same again is the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tuner.inspection.describing import data_text
from tuner.recording.datasets import datasets_used
from tuner.recording.plan import PARENT, Planner
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story

DATA: dict[str, Any] = {
    "source": {"kind": "folder"},
    "arrays": {
        "train.x": {"shape": [40, 8], "dtype": "float32", "blake2b": "a", "whole": True},
        "train.y": {"shape": [40], "dtype": "int32", "blake2b": "b", "whole": True},
        "validation": {"element_spec": "…", "blake2b": "c", "whole": True},
    },
    "described": {
        "source": "./pets",
        "examples": {"train": 40, "validation": 10},
        "class_counts": {"train": {"cat": 20, "dog": 20}, "validation": {"cat": 5, "dog": 5}},
    },
}


def test_each_part_is_a_data_set_with_its_own_digest() -> None:
    train, validation = datasets_used(DATA, "digits")
    assert (train.name, train.context) == ("./pets (train)", "train") and validation.context == "validation"
    assert json.loads(train.profile)["class_counts"] == {"cat": 20, "dog": 20}
    assert json.loads(validation.profile)["num_examples"] == 10
    assert datasets_used(json.loads(json.dumps(DATA)), "digits") == [train, validation]
    other = {**DATA, "arrays": {**DATA["arrays"], "train.y": {"shape": [40], "blake2b": "d"}}}
    assert [
        one.digest == two.digest for one, two in zip(datasets_used(other, ""), (train, validation), strict=True)
    ] == [
        False,
        True,
    ]


def test_an_older_journal_says_nothing_of_them() -> None:
    assert datasets_used({}, "digits") == [] and datasets_used({"arrays": DATA["arrays"]}, "digits") == []


def test_many_classes_are_cut_in_the_line() -> None:
    assert data_text(DATA["described"]) == "./pets; train 40, validation 10; classes of train: cat 20, dog 20"
    many = {"class_counts": {"train": {str(label): 1 for label in range(100)}}}
    assert data_text(many).endswith("19 1 and 80 more")


def test_the_parent_run_has_them_again_after_a_resume_with_other_data(story: Story) -> None:
    first = story.events[0]
    assert isinstance(first, ev.SweepStarted)
    planner = Planner()
    update = planner.plan(
        [ev.SweepStarted(**{**{name: getattr(first, name) for name in first.__struct_fields__}, "data": DATA})]
    )[PARENT]
    assert update.tags["tuner.data"] == data_text(DATA["described"]) and len(update.datasets) == 2
    assert json.loads(str(update.texts["data.json"])) == DATA
    other = {**DATA, "described": {**DATA["described"], "examples": {"train": 30}}}
    resumed = planner.plan([ev.SweepResumed(changes={}, data=other)])[PARENT]
    assert "train 30" in str(resumed.tags["tuner.data"]) and len(resumed.datasets) == 2
    assert planner.plan([ev.SweepResumed(changes={})])[PARENT].datasets == []


def test_the_best_trials_run_has_them_too(story: Story) -> None:
    story.trial(0, [0.5])
    story.trial(1, [0.75])
    story.add(ev.SweepEnded(reason="all trials ended"))
    runs = Planner().plan([replace(story.events[0], data=DATA), *story.events[1:]])
    assert len(runs[1].datasets) == 2 and not runs[0].datasets
