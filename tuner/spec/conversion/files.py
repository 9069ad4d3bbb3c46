"""Which tool a file was written for, and its draft."""

from __future__ import annotations

from pathlib import Path

from tuner.base.errors import UsageError
from tuner.spec.conversion import wandb
from tuner.spec.conversion.code import draft_of_code
from tuner.spec.conversion.draft import Draft
from tuner.spec.reading import MAX_SPEC_BYTES, printable, read_yaml

_KNOWN = "a W&B sweep (.yaml, .yml or .json), or Python code with a search space of W&B, Optuna or Ray Tune (.py)"


def converted(path: Path) -> Draft:
    """The draft of a file of another tool.

    Raises:
        UsageError: it cannot be read, or holds nothing that is known.
        SpecError: it holds values that a spec cannot hold.
    """
    name = printable(str(path))
    if path.suffix == ".py":
        draft = draft_of_code(_text(path, name), path.stem)
        if draft is None:
            raise UsageError(
                f"{name}: must be {_KNOWN}, but no space was found in it; a KerasTuner model: tuner init {name}"
            )
        return draft
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise UsageError(f"{name}: must be {_KNOWN}")
    written = read_yaml(path)
    if "space" in written and "trainable" in written:
        raise UsageError(f"{name}: is a spec already: tuner check {name}")
    if not wandb.is_sweep(written):
        raise UsageError(f"{name}: must be {_KNOWN}, but has no mapping `parameters`")
    return wandb.draft_of(written, path.stem)


def _text(path: Path, name: str) -> str:
    try:
        data = path.read_bytes()
        if len(data) > MAX_SPEC_BYTES * 16:
            raise UsageError(f"{name}: must be smaller than {MAX_SPEC_BYTES * 16 // 1024} KiB")
        return data.decode()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name}: must be UTF-8 text") from None
