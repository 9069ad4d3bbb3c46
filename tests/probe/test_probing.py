"""What a probe does where the process that trains dies. The processes are made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from tests.probe.measured import rates
from tuner.base.errors import UsageError
from tuner.probe.messages import Asked, Doing, Done, Rung
from tuner.probe.probing import _Found, _measure_rates
from tuner.processes import EndedError, Server


class Processes:
    """A server whose processes send these messages one after another, and then die unless they are done."""

    def __init__(self, *sent: Sequence[Any]) -> None:
        self._sent = [[*messages] for messages in sent]
        self.asked: list[Asked] = []

    def start(self, *arguments: Any, **options: Any) -> Processes:
        self._messages = self._sent.pop(0)
        return self

    def send(self, asked: Asked) -> None:
        self.asked.append(asked)

    def receive(self) -> Any:
        if not self._messages:
            raise EndedError("was killed by SIGKILL")
        return self._messages.pop(0)

    def close(self) -> None:
        return


def measured(processes: Processes, sizes: Sequence[int]) -> _Found:
    found = _Found(rungs={size: Rung(size, 1e3 * size, 2**20) for size in sizes})
    _measure_rates(
        cast("Server", processes), True, Asked("rates", {"trainable": "m.py:M"}, 0.0), found, lambda text: None
    )
    return found


def test_rates_are_measured_again_at_a_smaller_batch_size() -> None:
    small = rates("adam", 32, 1e-4, 1e-2)
    processes = Processes(
        [Doing("rates", 32), small, Doing("rates", 128)], [Doing("rates", 32), small, Done({"rates": 1.0})]
    )
    found = measured(processes, [8, 16, 32, 64, 128, 256])
    assert [asked.fits_max for asked in processes.asked] == [None, 64] and found.rates == [small]
    assert found.notes == ["no rates at a batch of 128: the process was killed by SIGKILL; most likely memory ran out"]
    assert list(found.rungs) == [8, 16, 32, 64, 128] and found.rungs[128].examples_per_s is None


def test_a_size_that_the_ladder_did_not_reach_is_one_that_does_not_fit() -> None:
    found = measured(Processes([Doing("rates", 256)], [Done({})]), [8, 16])
    assert (
        found.fitting() == [8, 16]
        and found.rungs[256].reason == "the process was killed by SIGKILL; most likely memory ran out"
    )


@pytest.mark.parametrize(
    "sent", [[[]], [[Doing("rates", 8)]], [[Doing("rates", 64)], [Doing("rates", 32)], [Doing("", 16)]]]
)
def test_it_ends_where_no_smaller_one_is_left_to_try(sent: list[list[Any]]) -> None:
    with pytest.raises(UsageError, match=r"trains m\.py:M was killed by SIGKILL; try a smaller --batch-size$"):
        measured(Processes(*sent), [8, 16, 32, 64])
