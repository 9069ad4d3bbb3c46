"""What a probe does where the process that trains dies. The processes are made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.probe.measured import rates
from tests.simulation import make_spec
from tuner.base.errors import SpecError, UsageError
from tuner.probe import probing
from tuner.probe.messages import Asked, Doing, Done, Rung
from tuner.probe.probing import Wanted, _Found, _measure_rates, probe
from tuner.processes import EndedError, Server, end_own


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

    def receive(self, within_s: float | None) -> Any:
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


HANGS = """
import time
from trainables.contract import Data, Trainable

class Mine(Trainable):
    loss = "mse"

    def load_data(self):
        import numpy as np
        x = np.ones((64, 3), "float32")
        return Data(train=(x, x), validation=(x, x))

    def build_model(self, params):
        time.sleep(3600)
"""


@pytest.mark.slow(10)
def test_a_model_that_is_never_built_or_data_that_never_load_end_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(HANGS)
    spec = make_spec(
        trainable=f"{tmp_path}/mine.py:Mine",
        objective={"metric": "val_loss", "mode": "min"},
        space={"learning_rate": {"low": 0.01, "high": 0.1}, "batch_size": 32},
        failures={"trial_timeout": "1s"},
    )
    (tmp_path / "never.py").write_text("import keras\n" + HANGS.replace("import numpy as np", "time.sleep(3600)"))
    never = spec.model_copy(update={"trainable": f"{tmp_path}/never.py:Mine"})
    try:
        with pytest.raises(UsageError) as error:
            probe(spec, "spec", Wanted(seconds=5.0))
        monkeypatch.setattr(probing, "HANGS_AFTER_MIN_S", 2.0)
        monkeypatch.setattr(probing, "HANGS_AFTER", 0.0)
        with pytest.raises(
            SpecError, match=r"must load within 2 s, but it has not ended in load_data \(line 10 of never"
        ):
            probe(never, "spec", Wanted(seconds=5.0))
    finally:
        end_own()
    told = "probe: measuring batch size 8 did not go on for 1 s in build_model (line 14 of mine.py) and was ended"
    assert str(error.value) == f"{told}; if it does not hang, raise failures.trial_timeout"
