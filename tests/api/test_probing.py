"""Which spec `tuner.probe` measures."""

from __future__ import annotations

from pathlib import Path

from tuner.api.probing import FIRST, wanted_spec

OWN = "name: mine\ntrainable: digits\nnum_trials: 2\nepochs: {max: 3}\nobjective: {metric: val_loss, mode: min}\n"


def test_messages_name_the_spec_that_a_user_wrote(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN + "space: {learning_rate: {low: 0.001, high: 0.1}}\n")
    for overrides in ([], ["epochs.max=9"]):
        assert wanted_spec(str(path), overrides, {}).source == str(path)
    given = {"name": "mine", "trainable": "digits", "num_trials": 2, "epochs": {"max": 3}}
    given |= {"objective": {"metric": "val_loss", "mode": "min"}, "space": {"batch_size": {"choices": [8, 16]}}}
    assert wanted_spec(given, [], {}).source == "tuner.probe" != FIRST, "it is measured as it was written"
