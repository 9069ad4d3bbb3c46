"""The probe's rules, without TensorFlow: what is cut, who reads parameters, what a failure says, what has no effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.contract import Data, Params
from trainables.probing.cut import cut, num_rows
from trainables.probing.effects import Question, look_for_effects
from trainables.probing.failure import own_place, way_out, what_it_did
from trainables.probing.tracking import tracked


class Own(Params):
    units: int = 4
    gamma: float = 1.0


@pytest.mark.parametrize(("length", "batch_size"), [(200, 32), (192, 32), (31, 32), (32, 32), (33, 32)])
def test_a_cut_ends_in_a_last_batch_as_large_as_that_of_all_examples(length: int, batch_size: int) -> None:
    rows = num_rows(length, batch_size)
    assert rows <= 2 * batch_size and rows % batch_size == length % batch_size
    part = ({"a": np.arange(length), "b": np.zeros((length, 2))}, [np.ones(length)])
    x, [y] = cut(Data(part, part), batch_size).train
    assert len(x["a"]) == len(x["b"]) == len(y) == rows and x["a"][-1] == rows - 1


@pytest.mark.parametrize(
    ("reads", "names"),
    [
        (lambda params: params.units, {"units"}),
        (lambda params: getattr(params, "gamma", None), {"gamma"}),
        (lambda params: dict(params), set(Own.model_fields)),
        (lambda params: vars(params), set(Own.model_fields)),
        (lambda params: params.model_dump(), set(Own.model_fields)),
        (lambda params: isinstance(params, Own), set()),
    ],
)
def test_parameters_note_who_asks_for_them(reads: Callable[[Any], Any], names: set[str]) -> None:
    read: set[str] = set()
    params = tracked(Own, read)(units=3)
    assert read == set()
    reads(params)
    assert read == names and isinstance(params, Own) and params.units == 3


def build_model(raised: Exception) -> None:
    raise raised


@pytest.mark.parametrize(
    ("raised", "advice"),
    [
        (FileNotFoundError(2, "No such file", "data/x.csv"), "a relative path is looked for in /"),
        (FileNotFoundError(2, "No such file", "/data/x.csv"), ""),
        (TypeError("f() takes 2 positional arguments but 3 were given"), ""),
        (RuntimeError("Cannot batch tensors with different shapes in component 0"), "pad them"),
        (RuntimeError("no units"), ""),
    ],
)
def test_a_failure_says_what_was_done_where_and_the_way_out(raised: Exception, advice: str) -> None:
    with pytest.raises(type(raised)) as caught:
        build_model(raised)
    assert what_it_did(caught.value, "training") == "building the model"
    assert what_it_did(raised.with_traceback(None), "training") == "training"
    found = way_out(raised, str(raised))
    assert advice in found and bool(advice) == bool(found)


def test_the_place_of_a_failure_is_the_innermost_line_of_the_user_s_own() -> None:
    with pytest.raises(ValueError) as caught:
        build_model(ValueError("no"))
    here = own_place(caught.value, lambda name: name == __file__)
    assert here is not None and "raise raised" in Path(__file__).read_text().splitlines()[here[1] - 1]
    assert own_place(caught.value, lambda name: False) is None
    said = ValueError('at:\n File "/home/me/mine.py", line 3, in call\n File "/lib/keras/layer.py", line 9, in call')
    assert own_place(said, lambda name: "/me/" in name) == ("/home/me/mine.py", 3)


Build = Callable[[Mapping[str, Any]], dict[str, str | None]]
BASES = [{"units": 4, "depth": 0, "gamma": 1}, {"units": 4, "depth": 1, "gamma": 1}]


def asked(build: Build, read: set[str], trace: Any = lambda params: None, name: str = "units") -> dict[str, str]:
    return look_for_effects([Question(name, [2, 8], BASES)], build, trace, read, 9.0, iter(range(99)).__next__).without


@pytest.mark.parametrize(
    ("build", "read", "without"),
    [
        (lambda params: {"model": str(params["units"])}, {"units"}, ""),
        (lambda params: {"model": str(params["units"] * params["depth"])}, {"units"}, ""),
        (lambda params: {"model": "one"}, {"units"}, "is the same with 2 and 8"),
        (lambda params: {"model": "one"}, {"gamma"}, "nothing in the trainable reads it"),
        (lambda params: {"model": "one", "data": None}, {"units"}, ""),
        (lambda params: {"model": "one", "data": None}, set(), "nothing in the trainable reads it"),
        (lambda params: {"model": None}, {"units"}, ""),
    ],
)
def test_a_parameter_without_effect_changes_nothing_that_is_built(build: Build, read: set[str], without: str) -> None:
    found = asked(build, read)
    assert list(found) == (["units"] if without else []) and all(without in why for why in found.values())


def test_a_model_of_an_own_class_is_judged_by_its_graph() -> None:
    def build(params: Mapping[str, Any]) -> dict[str, str | None]:
        return {"model": None, "weights": "w"}

    assert "the same" in asked(build, {"units"}, lambda params: "graph")["units"]
    assert asked(build, {"units"}, lambda params: f"graph of {params['units']}") == {}


def test_what_is_never_the_same_twice_tells_nothing() -> None:
    draws = iter(range(99))

    def build(params: Mapping[str, Any]) -> dict[str, str | None]:
        return {"model": "one", "weights": str(next(draws))}

    assert asked(build, {"units"}) == {}
    assert asked(build, set()) == {"units": "nothing in the trainable reads it"}


def test_what_there_is_no_time_for_is_named() -> None:
    questions = [Question(name, [1, 2], [{"units": 1}]) for name in ("units", "gamma", "beta")]
    clock = iter([0.0, 1.0, 2.0, 11.0]).__next__
    found = look_for_effects(questions, lambda params: {"model": "one"}, lambda params: None, {"units"}, 10.0, clock)
    assert list(found.without) == ["units", "gamma"] and found.not_looked_at == ["beta"]
