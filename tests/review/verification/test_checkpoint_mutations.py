"""Each way in which the files can differ from a sound journal is told."""

from __future__ import annotations

import dataclasses

import pytest

from tests.review.verification.made import Made
from tests.review.verification.mutating import (
    Mutation,
    assert_told,
    at,
    best_trial,
    cases,
    change,
    delete,
    good,
    insert,
    renumber,
)
from tuner.sweep import events as ev


def best_file(made: Made) -> str:
    return next(path for path in made.files if f"/{best_trial(made):06d}/" in path)


def lose_a_file(made: Made) -> None:
    del made.files[best_file(made)]


def damage_a_file(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], error="BadZipFile: File is not a zip file")


def weights_of_another_epoch(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], best_epoch=1)


def a_file_without_weights(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], num_best=0)


def an_orphan(made: Made) -> None:
    path = "checkpoints/000001/full-000001-attempt-001-9.npz"
    made.files[path] = dataclasses.replace(made.files[best_file(made)], path=path)


def delete_the_best_s_weights(made: Made) -> None:
    insert(made, len(made.events) - 1, ev.CheckpointsDeleted(trial=best_trial(made)))
    del made.files[best_file(made)]


def keep_all_of_the_best(made: Made) -> None:
    delete(made, at(made, ev.CheckpointsDeleted, trial=best_trial(made)))


def say_another_best_epoch(made: Made) -> None:
    change(made, at(made, ev.CheckpointSaved, trial=best_trial(made), kind="best"), best_epoch=1)


def keep_what_is_not_among_the_best(made: Made) -> None:
    trial = next(e.trial for e in made.events if isinstance(e, ev.CheckpointsDeleted) and not e.keeps_best)
    made.events = [e for e in made.events if not isinstance(e, ev.CheckpointsDeleted) or e.trial != trial]
    renumber(made)


MUTATIONS: dict[str, list[Mutation]] = {
    "checkpoints": [
        lose_a_file, damage_a_file, weights_of_another_epoch, a_file_without_weights, an_orphan,
        delete_the_best_s_weights, keep_all_of_the_best, say_another_best_epoch, keep_what_is_not_among_the_best,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("invariant", "mutate"), cases(MUTATIONS))
def test_a_mutation_is_told(invariant: str, mutate: Mutation) -> None:
    assert_told(invariant, mutate)


def test_a_model_may_have_no_weights() -> None:
    made = good("finished")
    made.files.update({path: dataclasses.replace(file, num_best=0) for path, file in made.files.items()})
    assert made.verify() == []


def interrupted_trial(made: Made) -> int:
    ended = {event.trial for event in made.events if isinstance(event, ev.TrialEnded)}
    return next(e.trial for e in made.events if isinstance(e, ev.CheckpointSaved) and e.trial not in ended)


def newest_file(made: Made) -> str:
    trial = interrupted_trial(made)
    return [e.path for e in made.events if isinstance(e, ev.CheckpointSaved) and e.trial == trial][-1]


def lose_the_newest(made: Made) -> None:
    del made.files[newest_file(made)]


def truncate_the_newest(made: Made) -> None:
    path = newest_file(made)
    made.files[path] = dataclasses.replace(made.files[path], error="EOFError: truncated")


def another_epoch_in_the_newest(made: Made) -> None:
    path = newest_file(made)
    made.files[path] = dataclasses.replace(made.files[path], epoch=1)


@pytest.mark.parametrize("mutate", [lose_the_newest, truncate_the_newest, another_epoch_in_the_newest])
def test_an_unfinished_trial_needs_its_newest_checkpoint(mutate: Mutation) -> None:
    made = good("interrupted")
    assert made.verify() == []
    mutate(made)
    assert {finding.invariant for finding in made.verify()} == {"checkpoints"}
