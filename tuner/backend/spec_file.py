"""A sweep's spec.yaml, which is for people only: the journal's spec counts."""

from __future__ import annotations

from typing import Any

from tuner.base.errors import TooLargeError
from tuner.base.hints import is_command_line
from tuner.spec import dump_yaml, spec_from_mapping
from tuner.storage import SweepFolder, read_bytes, write_atomically

EDITED_SPEC = "spec.edited.yaml"
SPEC_BYTES_MAX = 16 << 20
"""A spec that is read has at most 64 KiB; with every default written out it may be a few times that."""


def keep_edited_spec(folder: SweepFolder, spec: dict[str, Any]) -> str:
    """Sets an edited spec.yaml aside, before it is written anew.

    Args:
        spec: the journal's.

    Returns:
        What to tell the user; empty if the file is as it should be.
    """
    try:
        written = read_bytes(folder.spec, folder.base, bytes_max=SPEC_BYTES_MAX)
    except FileNotFoundError:
        return f"{folder.spec} was missing: written anew from the journal"
    except TooLargeError as error:
        return f"{error}: written anew from the journal"
    complete = spec_from_mapping(spec).resolved()  # as a resume writes it: other fields may be said, in another order
    if written in (dump_yaml(spec).encode(), dump_yaml(complete).encode()):
        return ""
    edited = folder.path / EDITED_SPEC
    write_atomically(edited, written, folder.base)
    way = "pass what changes to tuner.resume, or the changed spec to tuner.run with or_resume=True"
    if is_command_line():
        way = "use resume --set, or run --or-resume with the changed spec"
    return (
        f"{folder.spec} was edited, but the journal's spec counts: written anew, yours is now {edited}; to change a"
        f" sweep, {way}"
    )
