"""What was kept of code, data and versions against what there is today, in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainables.sources import Sources
from tuner.base.secrets import holds_secret, redacted
from tuner.inspection.provenance.code import Code

DIFF_LINES = 20
DIFF_CHARS = 110
_NAMED = 5
"""Files that a line names."""

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Today:
    """How a trainable's files of today differ from those that were kept; nothing of it is set if they do not."""

    is_gone: bool = False
    """The trainable's own file is not there."""
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Those of which no copy was kept, so that what they were is not to be had."""
    diff: list[str] = field(default_factory=list)
    is_main: bool = False
    """The trainable's own file is among them; a command's may be in any language."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)

    @property
    def is_program(self) -> bool:
        """Whether what differs is program text rather than files beside it."""
        return self.is_main or any(
            name.endswith(".py") or " " in name for name in (*self.changed, *self.added, *self.removed)
        )

    @property
    def what(self) -> str:
        """What differs, in a few words."""
        if self.is_gone:
            return f"{listed(self.removed)} {'is' if len(self.removed) == 1 else 'are'} gone"
        kinds = {"changed": self.changed, "new": self.added, "gone": self.removed}
        told = (
            f"{listed(names)} {'is' if len(names) == 1 else 'are'} {kind}" for kind, names in kinds.items() if names
        )
        return "; ".join(told)


def compare_code(kept: Manifest, today: Code | None, sources: Sources | None = None) -> Today:
    """Today's code against what the journal says of an earlier version.

    Args:
        sources: that version's copies, for a diff.
    """
    before, now = kept["files"], today.manifest["files"] if today is not None else {}
    changed = sorted(name for name in before.keys() & now.keys() if before[name]["sha256"] != now[name]["sha256"])
    removed = sorted(before.keys() - now.keys())
    more = [part.get("more", {}).get("sha256") for part in (kept, today.manifest if today is not None else {})]
    if more[0] != more[1]:
        changed.append("files beyond those that are listed")
    lost = [name for name in (*changed, *removed) if name in _left_out(kept)]
    lost += changed[-1:] if more[0] not in (None, more[1]) else []
    added = sorted(now.keys() - before.keys())
    diff = _diff(sources, today.sources, changed) if sources is not None and today is not None else []
    is_main = kept["main"] in (*changed, *removed)
    return Today(kept["main"] in removed, changed, added, removed, lost, diff, is_main)


def _left_out(manifest: Manifest) -> set[str]:
    return {name for name, file in manifest["files"].items() if "left_out" in file}


def _diff(kept: Sources, today: Sources, names: list[str]) -> list[str]:
    """A unified diff, bounded, without secrets and without what would steer a terminal."""
    lines: list[str] = []
    for name in names:
        if name not in kept.files or name not in today.files:  # a file that may hold a secret has no copy
            continue
        before, now = (part.files[name].decode(errors="replace").splitlines() for part in (kept, today))
        if any(holds_secret(name, "\n".join(text)) for text in (before, now)):
            continue
        found = difflib.unified_diff(before, now, f"{name}, kept", f"{name}, today", lineterm="", n=1)
        lines += [_shown(line) for line in found] or [f"{name}: only its line ends differ"]
    over = len(lines) - DIFF_LINES
    return [*lines[:DIFF_LINES], f"… {over} more lines"] if over > 0 else lines


def _shown(line: str) -> str:
    text = redacted(line).expandtabs(4).rstrip("\n")
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return f"{safe[: DIFF_CHARS - 1]}…" if len(safe) > DIFF_CHARS else safe


def version_changes(kept: Mapping[str, str], today: Mapping[str, str]) -> str:
    """`keras 3.14.0 -> 3.15.1`, one after another; empty if all are what they were, as far as that is known."""
    pairs = [(name, before, today.get(name, "none")) for name, before in sorted(kept.items())]
    return ", ".join(f"{name} {before} -> {now}" for name, before, now in pairs if before != now)


def data_changes(kept: Manifest, today: Manifest) -> tuple[list[str], list[str]]:
    """How today's data differ from what the journal says: changes, and what is only told.

    Arrays that were compared whole decide; files are looked at where they were not. A file's time alone is no change.
    """
    of_files = _file_changes(kept, today)
    before, now = kept.get("arrays") or {}, today.get("arrays") or {}
    changes = [_array_change(name, before.get(name), now.get(name)) for name in sorted({*before, *now})] if now else []
    changes = [text for text in changes if text]
    compared = bool(before) and bool(now) and all(array.get("whole") for array in (*before.values(), *now.values()))
    of_source, told = source_changes(kept.get("source") or {}, today.get("source") or {})
    if compared and not changes:
        return of_files, []
    return [*of_files, *of_source, *changes], told


def _file_changes(kept: Manifest, today: Manifest) -> list[str]:
    """How files that parameters name differ, such as a model that is fine-tuned."""
    before, now = ((manifest.get("described") or {}).get("files") or {} for manifest in (kept, today))
    return [f"{name} is another file" for name in sorted(before.keys() & now.keys()) if before[name] != now[name]]


def source_changes(kept: Manifest, today: Manifest) -> tuple[list[str], list[str]]:
    """The same of the file, folder or object that the spec's `data` names."""
    if not kept or not today:
        return [], []
    if today["kind"] == "missing":
        return [], [f"the data: {today.get('why', 'not there')}"] if kept["kind"] != "missing" else []
    if kept["kind"] != today["kind"]:
        return [f"was a {kept['kind']}, but is a {today['kind']} now"] if kept["kind"] != "missing" else [], []
    for key, what in (("files", "files"), ("size_bytes", "bytes")):
        if kept.get(key) != today.get(key):
            return [f"the {today['kind']} has {today[key]} {what}, but had {kept[key]}"], []
    if kept.get("names_sha256") != today.get("names_sha256"):
        return ["files in the folder have other names or sizes"], []
    if kept.get("sha256") != today.get("sha256"):
        return [f"the {today['kind']}'s content differs, at the same size"], []
    if kept.get("version") != today.get("version"):
        return ["the object in the bucket was written anew"], []
    times = [part.get("mtime", part.get("mtimes_sha256")) for part in (kept, today)]
    if times[0] != times[1] and not today.get("whole"):
        what = f"the {today['kind']} was written or copied since; its size and what was read of it are the same"
        return [], [what]
    return [], []


def _array_change(name: str, before: Manifest | None, now: Manifest | None) -> str:
    if before is None or now is None:
        return f"{name} {'is new' if before is None else 'is gone'}"
    for key, what in (("shape", "shape"), ("dtype", "type"), ("element_spec", "elements")):
        if before.get(key) != now.get(key):
            return f"{name} has the {what} {_text(now.get(key))}, but had {_text(before.get(key))}"
    return f"{name} has other values" if before.get("blake2b") != now.get("blake2b") else ""


def _text(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)[:200]


def listed(names: list[str]) -> str:
    """Some names, and how many more."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
