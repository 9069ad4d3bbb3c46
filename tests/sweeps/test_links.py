"""A real sweep among links that somebody planted while it ran: it ends, and what they lead to is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.planting import outside_tree, seen
from tests.sweeps.conftest import ONE_SLOT, SLOW_SPACE, Cli, finish
from tests.sweeps.test_faults import verified

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_links_that_are_planted_in_a_sweep_lead_nowhere(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path
) -> None:
    outside = outside_tree(tmp_path / "thesis")
    before = seen(outside)
    spec = tiny_spec(num_trials=2, space=SLOW_SPACE, epochs={"min": 9, "max": 18}, resources=ONE_SLOT)
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: any(trial.checkpoints for trial in sweep.unfinished))
    folder = Path(str(cli.folder("tiny").path))
    for link in ("checkpoints/zz", "checkpoints/000077", "checkpoints/000000/theirs", "recorder.log", "report.html"):
        (folder / link).unlink(missing_ok=True)
        (folder / link).symlink_to(outside)
    (folder / "checkpoints" / "notes.txt").write_text("mine")
    orphan = folder / "checkpoints" / "000001" / "full-000001-attempt-001-1.npz"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"of a killed worker")
    said = finish(driver, exit_code=0)
    assert f"checkpoints/000077: is a link to {outside}; nothing of a sweep is read" in said
    assert "'000000/theirs', 'notes.txt', 'zz' left alone, as no checkpoint of the sweep's is called that" in said
    assert seen(outside) == before and not orphan.exists() and (folder / "report.html").is_file()

    for command in (("resume", "tiny", "--num-trials", "3"), ("run", spec, "--or-resume"), ("export", "tiny")):
        refused = cli(*command, exit_code=4).stderr
        assert "/tiny/recorder.log: is a link to" in refused.splitlines()[-1]
    assert seen(outside) == before
    found: list[dict[str, str]] = json.loads(cli("verify", "tiny", "--json", exit_code=4).stdout)["findings"]
    told = {finding["message"].partition(" exists")[0] for finding in found}
    assert {"checkpoints/zz", "checkpoints/notes.txt", "checkpoints/000000/theirs"} <= told
    assert all(finding["kind"] == "wrong" for finding in found) and seen(outside) == before

    for link in ("checkpoints/zz", "checkpoints/000077", "checkpoints/000000/theirs", "recorder.log"):
        (folder / link).unlink()
    (folder / "checkpoints" / "notes.txt").unlink()
    cli("resume", "tiny", "--num-trials", "3")
    assert len(verified(cli).trials) == 3 and seen(outside) == before
