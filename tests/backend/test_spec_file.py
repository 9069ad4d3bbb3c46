"""spec.yaml in a sweep's folder: people may edit it, but the journal's spec counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import make_spec
from tuner.backend import spec_file
from tuner.backend.spec_file import EDITED_SPEC, keep_edited_spec
from tuner.spec import dump_yaml, spec_from_mapping
from tuner.spec.changes import changes_from_overrides
from tuner.storage import SweepFolder, write_atomically
from tuner.sweep import Sweep, fold
from tuner.sweep.events import SweepResumed, SweepStarted


def folded() -> Sweep:
    return fold([SweepStarted(spec=make_spec().resolved(), versions={}, seed=0, sweep_id="x")])


@pytest.mark.parametrize("override", ["space.learning_rate.num=5", "space.learning_rate.scale=linear", "num_trials=50"])
def test_a_spec_that_a_resume_wrote_is_not_an_edit(tmp_path: Path, override: str) -> None:
    """It is the same spec in other words: without defaults that the changes name, and in the fields' own order."""
    folder, sweep = SweepFolder(tmp_path), folded()
    sweep.apply(SweepResumed(changes=changes_from_overrides(sweep.spec, [override], 0)))
    write_atomically(folder.spec, dump_yaml(spec_from_mapping(sweep.spec).resolved()).encode())
    assert keep_edited_spec(folder, sweep.spec) == "" and not (tmp_path / EDITED_SPEC).exists()
    with open(tmp_path / "spec.yaml", "a") as file:
        file.write("# mine\n")
    text = keep_edited_spec(folder, sweep.spec)
    assert "was edited" in text and str(tmp_path / EDITED_SPEC) in text
    assert (tmp_path / EDITED_SPEC).read_text().endswith("# mine\n")


def test_a_spec_that_is_gone_or_too_large_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sweep = SweepFolder(tmp_path), folded()
    assert keep_edited_spec(folder, sweep.spec) == f"{folder.spec} was missing: written anew from the journal"
    monkeypatch.setattr(spec_file, "SPEC_BYTES_MAX", 10)
    folder.spec.write_text("x" * 11)
    assert keep_edited_spec(folder, sweep.spec).endswith(": written anew from the journal")
    assert not (tmp_path / EDITED_SPEC).exists()
