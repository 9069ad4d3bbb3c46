"""What a worker gets for its next attempt at a trial."""

from __future__ import annotations

from tuner.engine.assignments import CHECKPOINTS_TRIED, assign, training_seed
from tuner.sweep import Trial
from tuner.sweep import events as ev


def trial_with(*saved: tuple[int, str, str], trained: int = 9) -> Trial:
    """A trial after its second attempt, with these checkpoints as (epoch, path, kind), in the order of the journal."""
    trial = Trial(4, {"learning_rate": 0.1, "epochs": 27}, "random", attempts=2)
    trial.epochs = [
        ev.EpochReported(trial=4, attempt=1, epoch=n, metrics={}, epoch_s=1.0, decision="continue", reason="")
        for n in range(1, trained + 1)
    ]
    trial.checkpoints = [ev.CheckpointSaved(trial=4, epoch=epoch, path=path, kind=kind) for epoch, path, kind in saved]
    return trial


def paths(*saved: tuple[int, str, str], trained: int = 9) -> tuple[str, ...]:
    return assign(trial_with(*saved, trained=trained), 0, frozenset(), None).checkpoints


def test_it_says_all_that_an_attempt_needs() -> None:
    found = assign(trial_with(), 7, frozenset({1, 3}), 0.5)
    assert (found.trial, found.attempt, found.epochs_max) == (4, 3, 27)
    assert found.params == {"learning_rate": 0.1, "epochs": 27}
    assert (found.seed, found.judged_at, found.keep_above) == (training_seed(7, 4), {1, 3}, 0.5)
    assert found.checkpoints == ()


def test_the_newest_full_checkpoints_come_first() -> None:
    full = [(epoch, f"full {epoch}", "full") for epoch in range(1, 6)]
    assert paths(*full) == ("full 5", "full 4", "full 3") and CHECKPOINTS_TRIED == 3
    assert paths(*full, (9, "best", "best"))[0] == "full 5"
    twice = (5, "of the second attempt", "full")
    assert paths(*full, twice)[:2] == ("of the second attempt", "full 5"), "of one epoch the last one written"


def test_a_checkpoint_of_epochs_that_are_not_journalled_is_not_used() -> None:
    """Their decisions are lost, so they are trained again."""
    assert paths((3, "before", "full"), (5, "ahead", "full"), trained=4) == ("before",)


def test_a_training_seed_depends_on_sweep_and_trial_alone() -> None:
    seeds = {training_seed(sweep, trial) for sweep in range(5) for trial in range(20)}
    assert len(seeds) == 100 and all(0 <= seed < 2**31 for seed in seeds)
    assert training_seed(3, 4) == training_seed(3, 4)
