"""Which checkpoints stay: of ended trials the best weights of the best few, of unfinished ones what they go on from."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tuner.errors import TunerError
from tuner.paths import AnyPath, SweepFolder, delete, names
from tuner.sweep import Sweep, Trial


class Retention:
    """The best ended trials of a sweep, and the files that the others leave behind.

    Only ended trials have a place among the best: they keep their value for good, so that a trial that drops out is
    never wanted back.
    """

    def __init__(self, folder: SweepFolder, keep: int, sweep: Sweep) -> None:
        self._folder, self._keep, self._sweep = folder, keep, sweep
        self._kept = [trial for trial in sweep.ranked() if trial.outcome is not None][:keep]
        self._deletions = ThreadPoolExecutor(1, "deletions")

    @property
    def bar(self) -> float | None:
        """What a trial's best value must beat to be kept; None while there is room."""
        return self._kept[-1].best_value if len(self._kept) >= self._keep else None

    def ended(self, trial: Trial) -> list[tuple[Trial, bool]]:
        """Takes a trial's end; trials whose checkpoints are to be deleted, and whether their best weights stay."""
        if not trial.usable:
            return [(trial, False)]
        self._kept.append(trial)
        self._kept.sort(key=self._sweep.rank)
        dropped = self._kept[self._keep :]
        del self._kept[self._keep :]
        stays = [(trial, True)] if trial not in dropped and _has_best(trial) else []
        return [*stays, *((other, False) for other in dropped)]

    def left_over(self) -> list[tuple[Trial, bool]]:
        """As `ended`, of trials at whose end a driver died before it could let go of their checkpoints."""
        kept = {trial.number for trial in self._kept}
        return [
            (trial, trial.number in kept)
            for trial in self._sweep.trials.values()
            if trial.outcome is not None
            and trial.checkpoints
            and (trial.number not in kept or (len(trial.checkpoints) > 1 and _has_best(trial)))
        ]

    def delete(self, trial: Trial) -> None:
        """Deletes the files of an ended trial that its journal does not name any more, in the background.

        One that cannot be deleted costs room, no more.
        """
        keep = {saved.path for saved in trial.checkpoints}
        self._deletions.submit(self._delete, self._folder.trial_checkpoints(trial.number), keep)

    def delete_orphans(self) -> None:
        """Waits for deletions; then deletes what no event names, such as what a killed worker left behind."""
        self.close()
        named = {saved.path for trial in self._sweep.trials.values() for saved in trial.checkpoints}
        with contextlib.suppress(TunerError):
            for name in names(self._folder.checkpoints):
                folder = self._folder.checkpoints / name
                self._delete(folder, named, unfinished_writes=True)
                if isinstance(folder, Path):  # object stores have no empty folders
                    with contextlib.suppress(OSError):
                        folder.rmdir()  # refuses one that still holds a file

    def close(self) -> None:
        """Waits for deletions under way; those that would take requests are left to the sweep's end."""
        self._deletions.shutdown(cancel_futures=self._folder.is_remote)

    def _delete(self, folder: AnyPath, keep: set[str], unfinished_writes: bool = False) -> None:
        """Deletes a trial's files that `keep` does not name; the folder stays: a worker may still write into it."""
        for name in names(folder):
            is_named = f"{self._folder.checkpoints.name}/{folder.name}/{name}" in keep
            if not is_named and (unfinished_writes or not name.startswith(".")):
                delete(folder / name)


def _has_best(trial: Trial) -> bool:
    """Whether its best weights are on storage alone, so that full checkpoints, which hold them too, can go."""
    return any(saved.kind == "best" and saved.best_epoch == trial.best_epoch for saved in trial.checkpoints)
