"""Texts that look like values: a warning where text may be meant, an error with the way out where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.simulation import make_spec
from trainables import TrainingParams
from tuner.base.errors import SpecError
from tuner.base.meant import meant
from tuner.inspection.fit import param_problems, taken_texts
from tuner.spec import load_spec, spec_from_mapping
from tuner.spec.texts import text_warnings

VALID = make_spec().resolved()


class Known(TrainingParams):
    units: int = 8
    rate: float | None = None
    bias: bool = True
    hidden: tuple[int, ...] = (8,)
    norm: Literal["None", "batch"] = "batch"
    pad: str = ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("None", ("null", "null")),
        ("null", ("null", "null")),
        ("True", ("bool", "true")),
        ("no", ("bool", "false")),
        ("1e-4", ("number", "1e-4")),
        (".5", ("number", ".5")),
        ("1_000", ("number", "1000")),
        ("-3", ("number", "-3")),
        ("[64, 32]", ("list", "[64, 32]")),
        ("(64, 32)", ("list", "[64, 32]")),
        ("relu", None),
        ("1e", None),
        ("", None),
        ("3x3", None),
        ("[", None),
        ("nonesuch", None),
        (3, None),
        (None, None),
    ],
)
def test_what_a_text_looks_like(text: Any, found: Any) -> None:
    assert meant(text) == found


def test_texts_in_the_space_are_warned_of_with_what_to_write() -> None:
    space = {
        "rate": {"choices": ["1e-4", 0.1, "None"]},
        "pad": "True",
        "hidden": {"choices": ["(64, 32)", ["null", 3]]},
        "kind": {"choices": ["None", "relu"]},
        "acts": {"choices": ["relu", "no"], "repeat": 2},
    }
    assert text_warnings(make_spec(space=space), {"kind": frozenset({"None"})}) == [
        "space.rate.choices[0]: '1e-4' is text; write 1e-4 without quotes, unless text is meant",
        "space.rate.choices[2]: 'None' is text; write null for none, unless text is meant",
        "space.pad: 'True' is text; write true, unless text is meant",
        "space.hidden.choices[0]: '(64, 32)' is text; write [64, 32], unless text is meant",
        "space.hidden.choices[1][0]: 'null' is text; write null without quotes for none, unless text is meant",
        "space.acts.choices[1]: 'no' is text; write false, unless text is meant",
    ]
    assert text_warnings(make_spec()) == [] and taken_texts(Known)["norm"] == {"None", "batch"}


@pytest.mark.parametrize(
    ("space", "line"),
    [
        (
            {"units": {"choices": ["64"]}},
            "units.choices[0]: must be a whole number, but got '64'; it is text: write 64 without quotes",
        ),
        ({"rate": "None"}, "rate: must be a number, but got 'None'; it is text: write null for none"),
        (
            {"bias": {"choices": ["True", False]}},
            "bias.choices[0]: must be true or false, but got 'True'; it is text: write true",
        ),
        (
            {"hidden": "[64, 32]"},
            "hidden: must be a list, but got '[64, 32]'; it is text: write [64, 32] without quotes",
        ),
        (
            {"hidden": {"choices": [[64, "32"]]}},
            "hidden.choices[0]: must be a whole number, but got '32' in [64, '32'];"
            " it is text: write 32 without quotes",
        ),
        (
            {"units": {"choices": [[1, 2]]}},
            "units.choices[0]: must be a whole number, but got [1, 2]; for lists, the"
            " trainable's Params have list[…] or tuple[…]",
        ),
    ],
)
def test_a_trainable_that_needs_another_kind_says_how_to_write_it(space: dict[str, Any], line: str) -> None:
    assert param_problems(make_spec(space=space), Known) == [f"space.{line}"]


def test_lists_reach_lists_tuples_and_sets() -> None:
    class Lists(TrainingParams):
        hidden: tuple[int, ...] | None = None
        units: list[int] | None = None

    space = {
        "hidden": {"choices": [[64], [128, 64], None]},
        "depth": {"value": 2},
        "units": {"low": 1, "high": 9, "repeat": 3},
    }
    assert param_problems(make_spec(space={n: p for n, p in space.items() if n != "depth"}), Lists) == []


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("num_trials", "8", "num_trials: must be a whole number, but got '8'; it is text: write 8 without quotes"),
        (
            "storage",
            "None",
            "storage: must not be the word for none, but got 'None'; it is text: write null for none, or leave it out",
        ),
        (
            "space",
            {"rate": {"low": "1e-4", "high": 1}},
            "space.rate.low: must be a number, but got '1e-4'; it is text: write 1e-4 without quotes",
        ),
        (
            "space",
            {"rate": {"low": 0.1, "high": "None"}},
            "space.rate.high: must be a number, but got 'None'; it is text: write null for none",
        ),
        ("tracking", {"uri": "null"}, "tracking.uri: "),
    ],
)
def test_a_text_where_a_value_is_needed_says_how_to_write_it(field: str, value: Any, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**VALID, field: value}, is_new=True)
    assert caught.value.problems[0].startswith(line) and "; it is text: write " in caught.value.problems[0]


def test_numbers_in_yaml_s_less_known_forms_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "name: x\ntrainable: digits\nobjective: {metric: val_accuracy, mode: max}\nnum_trials: 1_000\n"
        "epochs: {max: 9}\nspace: {rate: {low: .5, high: 1e3}, wide: {choices: [1_000, 1e-4, True, ~]}}\n"
    )
    spec = load_spec(file)
    assert spec.num_trials == 1000 and spec.space["rate"].low == 0.5  # type: ignore[union-attr]
    assert spec.space["wide"].choices == [1000, 1e-4, True, None] and text_warnings(spec) == []  # type: ignore[union-attr]
