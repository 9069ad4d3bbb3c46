"""Hyperopt's tree-structured Parzen estimator (Bergstra et al. 2011) over the unit cube of a space.

Each searched parameter is one flat Hyperopt label: uniform in [0, 1] for ranges, an integer for choices. An inactive
parameter has no observation in that trial, which is what Hyperopt's own conditional spaces come to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.space import Choice, Params, Space

MAX_OBSERVATIONS = 300
"""Hyperopt's cost a suggestion grows with its observations; the best half and the newest half of so many are kept."""


class TPE:
    """Suggests configurations from trials in their order of merit."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._domain: Any = None
        self._miscs: dict[int, dict[str, Any]] = {}

    def suggest(self, ordered: Sequence[tuple[int, Params]], trial: int, seed: int) -> Params:
        """A configuration that resembles the first of `ordered` more than the rest.

        Args:
            ordered: (trial, params) of the observed trials, best first; only their order matters.
            trial: the number of the new trial.
            seed: makes the suggestion a function of its arguments.
        """
        from hyperopt import tpe
        from hyperopt.base import trials_from_docs

        if self._domain is None:
            self._domain = self._make_domain()
        documents = [self._document(number, params, rank) for rank, (number, params) in enumerate(ordered)]
        trials = trials_from_docs(documents, validate=False)
        [suggested] = tpe.suggest([trial], self._domain, trials, seed, n_startup_jobs=0, verbose=False)
        values = suggested["misc"]["vals"]
        return self._space.from_units({name: self._unit(name, values[name][0]) for name in self._space.searched})

    def _make_domain(self) -> Any:
        from hyperopt import hp
        from hyperopt.base import Domain

        labels = {}
        for name in self._space.searched:
            parameter = self._space[name]
            is_choice = isinstance(parameter, Choice)
            labels[name] = hp.randint(name, parameter.size) if is_choice else hp.uniform(name, 0.0, 1.0)
        return Domain(lambda params: 0.0, labels)

    def _unit(self, name: str, value: float) -> float:
        parameter = self._space[name]
        return (int(value) + 0.5) / parameter.size if isinstance(parameter, Choice) else float(np.clip(value, 0.0, 1.0))

    def _document(self, trial: int, params: Params, rank: int) -> dict[str, Any]:
        """A finished trial as Hyperopt keeps them, with its rank as the loss."""
        if trial not in self._miscs:
            self._miscs[trial] = self._misc(trial, params)
        return {
            "tid": trial,
            "state": 2,
            "spec": None,
            "result": {"status": "ok", "loss": float(rank)},
            "misc": self._miscs[trial],
            "exp_key": None,
            "owner": None,
            "version": 0,
            "book_time": None,
            "refresh_time": None,
        }

    def _misc(self, trial: int, params: Params) -> dict[str, Any]:
        """The part of a document that stays the same whatever the trial's rank."""
        values = {name: [self._label(name, params)] if name in params else [] for name in self._space.searched}
        return {
            "tid": trial,
            "cmd": self._domain.cmd,
            "workdir": None,
            "idxs": {name: [trial] if found else [] for name, found in values.items()},
            "vals": values,
        }

    def _label(self, name: str, params: Params) -> float:
        parameter = self._space[name]
        value = params[name]
        return parameter.index(value) if isinstance(parameter, Choice) else parameter.to_unit(value)
