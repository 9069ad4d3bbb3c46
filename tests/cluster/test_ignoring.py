"""Which files git ignores, as git itself says."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tuner.cluster.ignoring import Ignored

FILES = {
    ".gitignore": "*.npz\n/data/\n!keep.npz\nlogs/*\n!logs/one.txt\n# none\n",
    "sub/.gitignore": "!more.npz\n*.txt\n",
    "a.npz": "",
    "keep.npz": "",
    "data/keep.npz": "",
    "data/x.py": "",
    "sub/data/x.py": "",
    "sub/more.npz": "",
    "sub/deep/b.npz": "",
    "sub/deep/c.txt": "",
    "logs/one.txt": "",
    "logs/two.txt": "",
    "model.py": "",
}


def test_a_file_is_ignored_as_by_git(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = ["git", "-C", str(tmp_path), "ls-files", "--others", "--ignored", "--exclude-standard"]
    by_git = set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())
    assert len(by_git) > 4
    for start in (tmp_path, tmp_path / "sub"):  # the repository's rules hold for a folder in it, too
        below = [name for name in FILES if (tmp_path / name).is_relative_to(start)]
        assert {name for name in below if Ignored(start).by(tmp_path / name)} == by_git & set(below)


def test_outside_of_a_repository_the_folder_s_own_rules_hold(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.bin\n")
    (tmp_path / "sub").mkdir()
    assert Ignored(tmp_path).by(tmp_path / "sub" / "a.bin") == ".gitignore"
    assert Ignored(tmp_path).by(tmp_path / "sub" / "a.py") == ""
    assert Ignored(tmp_path / "sub").by(tmp_path / "sub" / "a.bin") == ""
