"""Suggestions without a model: points, a grid, independent draws. None comes twice while others are left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tuner.policy.tried import Tried
from tuner.spec.feasible import Feasible
from tuner.spec.space import Params, Space, completed, key

_REDRAWS = 512
"""Cheap, and enough even if all that is left lies under a choice that one in a hundred draws takes."""

_FEASIBLE_REDRAWS = 20_000
"""Enough to find one feasible configuration in a few thousand; it takes up to a second."""


class Draws:
    """Proposes a space's next configurations. One that is taken, by `add`, is not proposed again.

    Nor is one that an earlier trial had, by `avoid`, unless it is among the points.

    Args:
        points: configurations to start with; those outside the space are left out.
        feasible: which configurations may be proposed.
    """

    def __init__(self, space: Space, points: Sequence[Params], feasible: Feasible | None = None) -> None:
        self._space = space
        self._feasible = feasible or None
        self._out: set[Any] = set()
        """The keys of taken configurations."""
        self._tried = Tried(space)
        self._points: deque[Params] = deque()
        self.put_first(points)
        self._grid: Iterator[Params] | None = None
        self._next: Params | None = None
        """The grid's next configuration, once it has been proposed."""
        self._left: list[Params] | None = None
        """Of a small space, the configurations that were left at the last look."""

    def add(self, params: Params) -> None:
        """Marks a configuration as taken, wherever it was drawn."""
        self._out.add(key(params))

    def avoid(self, params: Params) -> None:
        """Marks a configuration as that of an earlier trial; it may lack constants."""
        self._tried.add(params)

    def put_first(self, points: Sequence[Params]) -> None:
        """Adds configurations to those that come first, behind them; those outside the space are left out."""
        known = (completed(self._space, point) for point in points)
        self._points += (params for params in known if params is not None and self._may_be(params))

    def __contains__(self, params: Params) -> bool:
        """Whether it is taken, or that of an earlier trial."""
        return key(params) in self._out or params in self._tried

    def point(self) -> Params | None:
        """The first point that is not taken."""
        while self._points and key(self._points[0]) in self._out:
            self._points.popleft()
        return self._points[0] if self._points else None

    def of_grid(self) -> Params | None:
        """The grid's first configuration that is not taken; None at its end."""
        if self._grid is None:
            self._grid = self._space.grid()
        while self._next is None or self._next in self or not self._may_be(self._next):
            self._next = next(self._grid, None)
            if self._next is None:
                return None
        return self._next

    def independent(self, rng: np.random.Generator) -> Params | None:
        """A draw that is not taken, whatever was observed. None if nothing is left of a small space; of a large one, a
        repeated draw if no new one is found, and None if no feasible one is.
        """
        found: Params | None = None
        for _ in range(_REDRAWS if self._feasible is None else _FEASIBLE_REDRAWS):
            params = self._space.sample(rng)
            if not self._may_be(params):
                continue
            if params not in self:
                return params
            found = params
        if self._size is None:
            return found
        candidates = self._space.grid() if self._left is None else self._left
        self._left = [candidate for candidate in candidates if candidate not in self and self._may_be(candidate)]
        return self._left[int(rng.integers(len(self._left)))] if self._left else None

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left of a space that can be counted."""
        if self._size is None or self.point() is not None:
            return False
        return all(params in self for params in self._space.grid() if self._may_be(params))

    def _may_be(self, params: Params) -> bool:
        return self._feasible is None or self._feasible(params)

    @cached_property
    def _size(self) -> int | None:
        """The number of configurations, if it can be counted."""
        return self._space.size()
