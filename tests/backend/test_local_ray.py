"""A Ray on this machine: what it consists of, and that what is left out is there for whoever asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(5)

SCRIPT = """
import json, os, psutil, ray
from pathlib import Path
from tuner.backend import patches, session

def names():
    found = psutil.Process().children(recursive=True)
    return sorted({Path(process.cmdline()[0].split(" ")[0]).name for process in found if process.cmdline()})

session.start_ray("local")
at_first = names()

@ray.remote(num_cpus=0)
def environment(name):
    return os.environ.get(name)

inherited = ray.get(environment.remote("INHERITED"))
asked = ray.get(environment.options(runtime_env={"env_vars": {"ASKED": "for"}}).remote("ASKED"))
again = ray.get(environment.options(runtime_env={"env_vars": {"AGAIN": "too"}}).remote("AGAIN"))
later = names()
processes = psutil.Process().children(recursive=True)
ending = session.begin_leaving()
assert session.begin_leaving() is ending and not ray.is_initialized()
session.leave_ray()
_, left = psutil.wait_procs(processes, 20)
print(json.dumps([at_first, inherited, asked, again, later, [process.cmdline() for process in left]]))
"""


def test_it_is_two_servers_and_its_agents_come_when_they_are_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "INHERITED": "yes"}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, cwd=Path.cwd(), timeout=120
    )
    assert done.returncode == 0, done.stderr
    at_first, inherited, asked, again, later, left = json.loads(done.stdout)
    assert at_first == ["gcs_server", "python", "raylet"]  # two of python, which import nothing of Ray
    assert (inherited, asked, again) == ("yes", "for", "too")
    assert "ray::RuntimeEnvAgent" in later and not any(name.startswith("ray::Dashboard") for name in later)
    assert left == []
