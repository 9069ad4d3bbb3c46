"""Which checkpoints stay: the best weights of the best few ended trials, and what unfinished trials continue from."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from tuner.base.errors import ForeignFileError, TunerError
from tuner.storage import SweepFolder, delete, names, remove_empty_folder
from tuner.storage.names import CHECKPOINTS, is_checkpoint_name, is_trial_name, is_unfinished_checkpoint, trial_name
from tuner.sweep import Sweep, Trial

NAMED_MAX = 3
"""How many of the files that are left alone a message names."""


class Retention:
    """The best ended trials of a sweep, and the files that the others leave behind.

    Only ended trials count among the best: their values are final, so a trial that drops out never comes back.
    """

    def __init__(self, folder: SweepFolder, keep: int, sweep: Sweep) -> None:
        self._folder, self._keep, self._sweep = folder, keep, sweep
        self._kept = [trial for trial in sweep.ranked() if trial.outcome is not None][:keep]
        self._deletions = ThreadPoolExecutor(1, "deletions")

    @property
    def bar(self) -> float | None:
        """What a trial's best value must beat for its weights to be kept; None while there is room."""
        return self._kept[-1].best_value if len(self._kept) >= self._keep else None

    def ended(self, trial: Trial) -> list[tuple[Trial, bool]]:
        """Takes an ended trial; returns the trials whose checkpoints to delete, and whether their best weights stay."""
        if not trial.usable:
            return [(trial, False)]
        self._kept.append(trial)
        self._kept.sort(key=self._sweep.rank)
        dropped = self._kept[self._keep :]
        del self._kept[self._keep :]
        stays = [(trial, True)] if trial not in dropped and _has_best(trial) else []
        return [*stays, *((other, False) for other in dropped)]

    def left_over(self) -> list[tuple[Trial, bool]]:
        """As `ended`, for trials that ended just before a driver died, so that it did not delete their checkpoints."""
        kept = {trial.number for trial in self._kept}
        return [
            (trial, trial.number in kept)
            for trial in self._sweep.trials.values()
            if trial.outcome is not None
            and trial.checkpoints
            and (trial.number not in kept or (len(trial.checkpoints) > 1 and _has_best(trial)))
        ]

    def delete(self, trial: Trial) -> None:
        """Deletes the files of an ended trial that the journal no longer names, in the background.

        A file that cannot be deleted only costs disk space.
        """
        keep = {saved.path for saved in trial.checkpoints}
        self._deletions.submit(self._delete, trial_name(trial.number), keep)

    def delete_orphans(self) -> list[str]:
        """Waits for deletions, then deletes files that no event names, such as those of a killed worker.

        Files with names that no worker writes are left alone, and so is everything behind a link.

        Returns:
            Messages for the user about what was left alone.
        """
        self.close()
        named = {saved.path for trial in self._sweep.trials.values() for saved in trial.checkpoints}
        foreign: list[str] = []
        texts: list[str] = []
        with contextlib.suppress(TunerError):
            for name in names(self._folder.checkpoints, self._folder.base):
                if not is_trial_name(name):
                    foreign.append(name)
                    continue
                try:
                    foreign += self._delete(name, named, unfinished_writes=True)
                    remove_empty_folder(self._folder.checkpoints / name, self._folder.base)
                except ForeignFileError as error:
                    texts.append(str(error))
        if foreign:
            more = f" and {len(foreign) - NAMED_MAX} more" if len(foreign) > NAMED_MAX else ""
            what = ", ".join(map(repr, foreign[:NAMED_MAX])) + more
            texts.append(
                f"{self._folder.checkpoints}: {what} left alone, as no checkpoint of the sweep's is called that"
            )
        return texts

    def close(self) -> None:
        """Waits for deletions in progress. On an object store, where they take requests, the rest is left for later."""
        self._deletions.shutdown(cancel_futures=self._folder.is_remote)

    def _delete(self, trial: str, keep: set[str], unfinished_writes: bool = False) -> list[str]:
        """Deletes a trial's checkpoints that `keep` does not name; returns the names of foreign files.

        The folder stays, because a worker may still write into it.
        """
        foreign = []
        folder, base = self._folder.checkpoints / trial, self._folder.base
        for name in names(folder, base):
            is_unfinished = is_unfinished_checkpoint(name)
            if not is_unfinished and not is_checkpoint_name(name):
                foreign.append(f"{trial}/{name}")
            elif f"{CHECKPOINTS}/{trial}/{name}" not in keep and (unfinished_writes or not is_unfinished):
                delete(folder / name, base)
        return foreign


def _has_best(trial: Trial) -> bool:
    """Whether its best weights have a file of their own, so that full checkpoints, which also hold them, can go."""
    return any(saved.kind == "best" and saved.best_epoch == trial.best_epoch for saved in trial.checkpoints)
