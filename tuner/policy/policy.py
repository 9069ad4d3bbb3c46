"""ask, tell, close: what to try next and whether a trial continues, as a pure function of what was told before.

Suggestion k draws its randomness from (seed, k) and depends only on the history, so replaying a journal's events
rebuilds the same state, and every decision can be recomputed from the events before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuner.base.outcomes import UNUSABLE, Outcome
from tuner.base.patience import Watch
from tuner.policy.asha import Asha, rung_epochs, second_looks
from tuner.policy.draws import Draws
from tuner.policy.earlier import EarlierTrial, EarlierTrials, digest
from tuner.policy.mixture import LEAST, Mixture
from tuner.policy.observations import Observations, Observed
from tuner.policy.tpe import MAX_OBSERVATIONS, TPE, Split
from tuner.spec.search_settings import SearchSettings
from tuner.spec.space import Params

CONTINUE: Literal["continue"] = "continue"
STOP: Literal["stop"] = "stop"

STARTUP_OBSERVATIONS = 10
"""Until this many trials have been observed, draws are independent; then TPE models them."""
HOPELESS_DEVIATIONS = 1.5
"""A trial is stopped if its expected end is more than this many standard deviations worse than the best so far."""
BROAD_SHARE = 0.7
"""This share of the draws from the whole space are the best of a few by the model (see `TPE.suggest`)."""
_MODEL_DRAWS = 4


@dataclass(frozen=True)
class Suggestion:
    """A new trial."""

    trial: int
    """Its number."""
    params: Params
    """The active parameters of the space."""
    epochs: int
    """The epochs of its whole training."""
    origin: str
    """How it was drawn: point, random, broad, tpe or grid."""


@dataclass(frozen=True)
class Decision:
    """CONTINUE or STOP, why, and on STOP the trial's outcome."""

    action: Literal["continue", "stop"]
    reason: str = ""
    outcome: Outcome | None = None


_GO_ON = Decision(CONTINUE)


class Policy:
    """TPE (or random, or grid) with ASHA over one space."""

    def __init__(self, settings: SearchSettings) -> None:
        self.space = settings.space
        self.num_trials = settings.num_trials
        self.exhausted = False
        """Whether the space ran out of configurations before num_trials were suggested."""
        self._settings = settings
        self._sign = -1.0 if settings.mode == "max" else 1.0
        rungs = rung_epochs(settings.epochs_min, settings.epochs_max, settings.reduction_factor)
        self._levels = frozenset(rungs)
        self._rungs = rungs if settings.stops_early else []
        self.looked_at = second_looks(self._rungs, settings.epochs_max)
        """Maps each epoch after which a trial is judged again to the rung that it is judged at."""
        self.judged_at = frozenset([*self._rungs, *self.looked_at])
        """The epochs after which a trial may be stopped before its end."""
        self._best_loss = math.inf
        self._asha = Asha(self._rungs, settings.reduction_factor)
        self._judged: dict[int, float] = {}
        """Trial that continues -> its loss at its last rung."""
        self.patience = settings.patience
        self._watches: dict[int, Watch] = {}
        """By trial, what looks for its plateau, where the sweep has a patience."""
        self._tpe = TPE(settings.space)
        self._observed = Observations(rungs)
        self._draws = Draws(settings.space, settings.points, settings.feasible)
        self._mixture = Mixture()
        self._modelled: set[int] = set()
        """Trials that were drawn from the model rather than from the whole space."""
        self._earlier = EarlierTrials(self._sign)
        self._num_infeasible = 0
        """Trials that ended as infeasible: each is replaced by another one."""
        self._entropy = [settings.seed]
        """What every draw's randomness begins with: the seed, and a digest of each list of earlier trials."""

    @property
    def num_suggested(self) -> int:
        return len(self._observed)

    @property
    def num_observed(self) -> int:
        """How many suggested trials have a result or came to a bad end."""
        return sum(self._observed[number].has_result for number in range(len(self._observed)))

    @property
    def num_earlier(self) -> int:
        """How many trials of earlier sweeps lie in this space."""
        return len(self._earlier)

    @property
    def is_used_up(self) -> bool:
        """Whether every configuration of a space that can be counted was tried, here or in earlier sweeps."""
        return self._draws.is_used_up

    @property
    def has_model(self) -> bool:
        """Whether enough is known for TPE to model."""
        num_own = self._observed.num_with_results
        num_known = num_own + len(self._earlier.counting(num_own))
        return self._settings.algorithm == "tpe" and bool(self.space.searched) and num_known >= STARTUP_OBSERVATIONS

    @property
    def is_next_certain(self) -> bool:
        """Whether the next suggestion needs no results: a point, of a grid, or drawn independently in any case."""
        if self._draws.point() is not None or self._settings.algorithm != "tpe" or not self.space.searched:
            return True
        return len(self._observed) + len(self._earlier) < STARTUP_OBSERVATIONS

    def good(self) -> list[int]:
        """The trials of this sweep that the model counts as good now, best first; empty while there is no model."""
        return [number for number in self._split().good if number >= 0] if self.has_model else []

    def observed(self, trial: int) -> Observed:
        """What the policy knows about a suggested trial."""
        return self._observed[trial]

    def ask(self) -> Suggestion | None:
        """The next trial; None once num_trials were suggested, or the space has no more configurations.

        Infeasible trials do not count.
        """
        suggestion = self.propose()
        if suggestion is not None:
            self.adopt(suggestion)
        return suggestion

    def propose(self) -> Suggestion | None:
        """What `ask` would return, without taking it."""
        trial = len(self._observed)
        if self.exhausted or (self.num_trials is not None and trial >= self.num_trials + self._num_infeasible):
            return None
        drawn = self._draw(trial)
        if drawn is None:
            self.exhausted = True
            return None
        params, origin = drawn
        epochs = int(params.get("epochs") or self._settings.epochs_max)  # type: ignore[arg-type]
        return Suggestion(trial, params, epochs, origin)

    def adopt(self, suggestion: Suggestion) -> None:
        """Takes a suggestion, such as one from a journal, as this policy's own.

        A suggestion from before a change of the space may lie outside it. It keeps its number and its place in the
        rungs and is not drawn again, but the model does not learn from it.
        """
        trial, params = suggestion.trial, suggestion.params
        counts = self.space.covers(params)
        self._observed.add(Observed(trial, params, suggestion.epochs, counts))
        if counts:
            self._tpe.learn(trial, params)
        self._draws.add(params)
        if suggestion.origin == "tpe":
            self._modelled.add(trial)

    def learn(self, earlier: Sequence[EarlierTrial]) -> None:
        """Takes trials of earlier sweeps, before the first suggestion; those outside the space are ignored.

        What they tried is not suggested again, and other configurations are drawn than without them.
        """
        if earlier:
            self._entropy.append(digest(earlier))
        for trial in earlier:
            if self.space.covers(trial.params):
                self._tpe.learn(self._earlier.add(trial), trial.params)
                if trial.same_constants:
                    self._draws.avoid(trial.params)

    def begin_with(self, points: Sequence[Params]) -> None:
        """Takes configurations to suggest first, after the settings' own points; those outside the space are left out.

        What is known of them elsewhere counts for nothing here: they are judged by their own trials.
        """
        self._draws.put_first(points)

    def tell(self, trial: int, epoch: int, value: float) -> Decision:
        """Takes the objective after an epoch; NaN or infinite if the trial diverged. Call once an epoch, in order."""
        observed = self._observed[trial]
        if not math.isfinite(value):
            self._spoil(observed)
            return Decision(STOP, f"the loss or the objective is not finite after epoch {epoch}", "diverged")
        decision = self._judge(observed, epoch, self._sign * value)
        why = self._why_plateaued(trial, epoch, value)
        return Decision(STOP, why, "plateaued") if why and decision.action == CONTINUE else decision

    def _why_plateaued(self, trial: int, epoch: int, value: float) -> str:
        """Why a trial ends for want of improvement; empty while it may go on."""
        if self.patience is None:
            return ""
        if trial not in self._watches:
            self._watches[trial] = Watch(self.patience, self._settings.mode)
        return self._watches[trial].take(epoch, value)

    def _judge(self, observed: Observed, epoch: int, loss: float) -> Decision:
        trial = observed.number
        observed.epoch = epoch
        takes_last = self.patience is not None and not self.patience.restore_best
        observed.best_loss = loss if takes_last else min(observed.best_loss, loss)
        self._best_loss = min(self._best_loss, loss)
        is_last = epoch >= observed.epochs_max
        if not is_last and epoch not in self._levels:
            return self._look_again(trial, epoch)
        self._observed.update(observed, epoch, observed.best_loss, observed.bad)
        if is_last:
            return Decision(STOP, f"all {epoch} epochs", "completed")
        verdict = self._asha.judge(epoch, loss)
        if verdict is None:
            return _GO_ON
        self._judged[trial] = loss
        if epoch == self._rungs[0]:
            self._mixture.tried(trial in self._modelled)
        if not verdict.goes_on:
            return Decision(STOP, str(verdict), "stopped")
        self._mixture.passed(trial in self._modelled, epoch / self._settings.epochs_min)
        why_not = "" if verdict.place == 1 or epoch == self._settings.epochs_min else self._why_hopeless(observed)
        return Decision(STOP, f"{verdict}; {why_not}", "stopped") if why_not else Decision(CONTINUE, str(verdict))

    def close(self, trial: int, outcome: Outcome) -> None:
        """Takes a trial's end. An unusable outcome counts as bad from now on.

        A trial that ended itself counts like one that was to train no longer: its best value is its result.
        """
        observed = self._observed[trial]
        self._judged.pop(trial, None)
        self._watches.pop(trial, None)
        self._num_infeasible += outcome == "infeasible"
        if outcome in UNUSABLE and not observed.bad:
            self._spoil(observed)
        elif _is_short(outcome, observed) and observed.epoch and not observed.bad:
            self._observed.shorten(observed)

    def _spoil(self, trial: Observed) -> None:
        """Takes a bad end: the trial's losses no longer count as the best so far."""
        if not trial.level:
            self._mixture.tried(trial.number in self._modelled)
        self._observed.update(trial, trial.level, trial.loss, bad=True)
        if trial.best_loss == self._best_loss:
            every = (self._observed[number] for number in range(len(self._observed)))
            self._best_loss = min((other.best_loss for other in every if not other.bad), default=math.inf)

    def _look_again(self, trial: int, epoch: int) -> Decision:
        """Judges a trial at its last rung again, which more trials have reached since."""
        if epoch not in self.looked_at or trial not in self._judged:
            return _GO_ON
        verdict = self._asha.look(self.looked_at[epoch], self._judged[trial])
        reason = f"by now {verdict}"
        return Decision(CONTINUE, reason) if verdict.goes_on else Decision(STOP, reason, "stopped")

    def _why_hopeless(self, trial: Observed) -> str:
        """Why a trial that passed its rung is very unlikely to become the best; empty while it may."""
        outlook = self._observed.outlook(trial)
        if outlook is None:
            return ""
        end, deviation = outlook
        if end - HOPELESS_DEVIATIONS * deviation <= self._best_loss:
            return ""
        expected, best = self._sign * end, self._sign * self._best_loss
        return f"this one is expected to end at {expected:.4g} +- {deviation:.2g}, and the best so far is {best:.4g}"

    def _draw(self, trial: int) -> tuple[Params, str] | None:
        point = self._draws.point()
        if point is not None:
            return point, "point"
        if self._settings.algorithm == "grid":
            found = self._draws.of_grid()
            return None if found is None else (found, "grid")
        rng = np.random.default_rng([*self._entropy, trial])
        num_own = self._observed.num_with_results
        knows_what_pays = bool(self.judged_at) and num_own >= len(self._earlier.counting(num_own))
        explores = rng.random() < (self._mixture.share_of_draws if knows_what_pays else LEAST)
        broadly = explores and rng.random() < BROAD_SHARE
        if self.has_model and (broadly or not explores):
            split = self._split()
            for _ in range(_MODEL_DRAWS if split.good else 0):
                params = self._tpe.suggest(split, rng, broadly=broadly, feasible=self._settings.feasible)
                if params is not None and params not in self._draws:
                    return params, "broad" if broadly else "tpe"
        drawn = self._draws.independent(rng)
        return None if drawn is None else (drawn, "random")

    def _split(self) -> Split:
        """The trials for the model: this sweep's, and earlier ones while few of its own have results."""
        observed, num_own = self._observed, self._observed.num_with_results
        ordered, earlier = observed.ordered(MAX_OBSERVATIONS), self._earlier.counting(num_own)
        own = min(_num_good(len(ordered)), observed.num_usable)
        theirs = min(_num_good(len(earlier)), sum(map(self._is_usable, earlier)))
        if num_own < STARTUP_OBSERVATIONS and earlier:
            own = 0  # too few to tell which of them are good
        usable = [number for number in [*ordered, *earlier] if self._is_usable(number)]
        bad = [number for number in earlier if not self._is_usable(number)]
        return Split(
            good=[*ordered[:own], *earlier[:theirs]],
            others=[*ordered[own:], *earlier[theirs:]],
            usable=usable,
            bad=[*observed.newest_bad(MAX_OBSERVATIONS), *bad],
            odds=(observed.num_bad + len(bad)) / max(1, observed.num_usable + len(earlier) - len(bad)),
        )

    def _is_usable(self, number: int) -> bool:
        return self._observed[number].is_usable if number >= 0 else not self._earlier[number].bad


def _num_good(num_observed: int) -> int:
    """How many of the observed trials count as good: Hyperopt's rule."""
    return min(math.ceil(0.25 * math.sqrt(num_observed)), 25)


def _is_short(outcome: Outcome, observed: Observed) -> bool:
    """Whether a trial ended itself, by its own early stopping or because it does no more epochs."""
    return outcome == "plateaued" or (outcome == "completed" and observed.epoch < observed.epochs_max)
