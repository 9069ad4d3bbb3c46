"""The suggestions as a spec: what is replaced, what stays, and where each bound comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.probe.measured import probe, rates
from trainables import registry
from tuner.inspection import load_checked
from tuner.probe.result import ClassBalance, ProbeResult
from tuner.probe.specs import SuggestedSpec
from tuner.probe.suggestions import Suggestions


def base(name: str = "digits", **changes: Any) -> dict[str, Any]:
    return {**YAML(typ="safe", pure=True).load(registry.default_sweep(name).read_text()), **changes}


def written(result: ProbeResult | None = None, **changes: Any) -> SuggestedSpec:
    return SuggestedSpec(base(**changes), Suggestions(result or probe()))


def test_bounds_are_replaced_and_everything_else_stays() -> None:
    fields = written().fields
    assert fields == {
        **base(),
        "epochs": {"min": 1, "max": 18},
        "space": {
            **base()["space"],
            "learning_rate": {"low": 2.3e-4, "high": 6e-2, "scale": "log"},
            "batch_size": {"choices": [16, 32, 64]},
        },
        "search": {"algorithm": "tpe", "seed": 7, "warm_start": ["probe"]},
    }


def test_the_text_is_a_valid_spec_with_a_comment_at_each_bound(tmp_path: Path) -> None:
    text = written().text(tmp_path / "digits.yaml", ["Written by: tuner init digits --probe"])
    (tmp_path / "digits.yaml").write_text(text)
    spec = load_checked(tmp_path / "digits.yaml")
    assert spec.search.warm_start == ["probe"] and spec.epochs.max == 18
    lines = text.splitlines()
    assert lines[0] == "# Written by: tuner init digits --probe" and "slots like the one measured" in lines[1]
    for bound, comment in (
        ("  learning_rate: {low: 0.00023, high: 0.06, scale: log}", "range test of adam"),
        ("  batch_size: {choices: [16, 32, 64]}", "rule of thumb"),
        ("epochs: {min: 1, max: 18}", "early stopping judges first after 1"),
    ):
        above = lines[lines.index(bound) - 1]
        assert above.lstrip().startswith("# ") and comment in above


def test_conditions_and_couplings_of_a_parameter_stay() -> None:
    space = {
        "head": {"choices": [True, False]},
        "learning_rate": {"low": 1e-5, "high": 1e-1, "num": 9, "scale": "log", "when": {"head": True}},
        "batch_size": 32,
        "epochs": {"low": 1, "high": 5},
    }
    fields = written(space=space).fields
    assert fields["space"]["learning_rate"] == {"low": 2.3e-4, "high": 6e-2, "scale": "log", "when": {"head": True}}
    assert fields["space"]["batch_size"] == {"choices": [16, 32, 64]} and fields["epochs"] == base()["epochs"]


def test_the_optimizer_is_written_where_several_were_measured_or_the_spec_names_one() -> None:
    both = probe(rates=(rates("adam", 32, 1e-4, 1e-2, 0.5), rates("sgd", 32, 1e-2, 1.0, 0.3)))
    assert "optimizer" not in written().fields["space"]
    found = written(both)
    assert found.fields["space"]["optimizer"] == "sgd" and found.fields["space"]["learning_rate"]["low"] == 0.01
    searched = written(both, space={"optimizer": {"choices": ["adam", "sgd", "adamw"]}})
    assert searched.fields["space"]["learning_rate"] == {"low": 1e-4, "high": 1.0, "scale": "log"}
    assert searched.fields["space"]["optimizer"] == {"choices": ["adam", "sgd", "adamw"]}
    assert searched.comments["space.learning_rate"][-1] == "not measured with 'adamw': tuner probe --optimizer"


def test_parameters_by_other_names_and_models_that_compile_themselves() -> None:
    named = written(probe(is_compiled=True), space={"lr": 0.1}, records={"learning_rate": "lr"})
    assert named.fields["space"]["lr"] == {"low": 2.3e-4, "high": 6e-2, "scale": "log"}
    own = written(probe(is_compiled=True), space={"units": 3})
    assert own.fields["space"] == {"units": 3, "batch_size": {"choices": [16, 32, 64]}}
    assert own.comments["space"][0] == (
        "the model sets its learning rate itself; good ones lie between 0.00023 and 0.06"
    )


def test_a_batch_size_without_effect_is_in_neither_space_nor_points() -> None:
    found = written(probe(takes_batch_size=False), space={"units": 3})
    assert found.fields["space"] == {"units": 3, "learning_rate": {"low": 2.3e-4, "high": 6e-2, "scale": "log"}}
    points = Suggestions(probe(takes_batch_size=False)).points
    assert points and all("batch_size" not in point for point in points) and found.cost is not None


def test_points_outside_of_the_new_bounds_are_left_out_and_told() -> None:
    inside = {"learning_rate": 0.01, "batch_size": 32, "units": 64, "dropout": 0.0}
    found = written(search={"points": [inside, {**inside, "learning_rate": 0.1}], "warm_start": ["first"]})
    assert found.fields["search"] == {"points": [inside], "warm_start": ["first", "probe"]}
    assert found.comments["search"][0].startswith("1 of the points lie outside")


def test_what_was_not_found_leaves_the_spec_as_it_was() -> None:
    nothing = written(ProbeResult("digits", None, "val_accuracy", "max", 1200))
    assert nothing.fields == base() and nothing.cost is None
    assert nothing.comments == {"space.learning_rate": ["not from the probe: no range test found one"]}


def test_class_weights_are_offered_in_a_comment() -> None:
    text = written(probe(classes=ClassBalance({"0": 900, "1": 60}, {"0": 0.53, "1": 8.0}))).text()
    assert "# classes are imbalanced (0: 900, 1: 60)" in text


def test_files_are_named_as_they_lie_beside_the_spec(tmp_path: Path) -> None:
    trainable, data = f"{tmp_path}/net.py:Net", f"{tmp_path}/rows.npz"
    found = SuggestedSpec(base(trainable=trainable, data=data), Suggestions(probe()))
    text = found.text(tmp_path / "net.yaml")
    assert "./net.py:Net" in text and "./rows.npz" in text and str(tmp_path) not in text
    assert trainable in found.text(tmp_path / "below" / "net.yaml")
