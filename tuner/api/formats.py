"""The formats of a report, and which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal, get_args

from tuner.base.errors import UsageError
from tuner.base.hints import option

Format = Literal["html", "md", "png", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SUFFIXES: dict[str, Format] = {
    ".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".png": "png", ".json": "json",
}  # fmt: skip
STDOUT = "-"


def chosen_format(
    named: str | None, output: str | None, what: str = "report", formats: tuple[Format, ...] = FORMATS
) -> Format:
    """The format that is named, or that of the file's suffix; html where neither says anything.

    Args:
        what: what is written, for messages.
        formats: those that it has.

    Raises:
        UsageError: there is no such format, or the name and the file's suffix contradict each other.
    """
    if named is not None and named not in formats:
        raise UsageError(f"{option('format')}: must be {_either(formats)}, but is {named!r}")
    suffix = "" if output in (None, STDOUT) else PurePath(str(output)).suffix.lower()
    meant = _SUFFIXES.get(suffix)
    if named is None:
        if suffix and meant not in formats:
            ways = f"end it in {_either([f'.{form}' for form in formats])}, or set {option('format')}"
            raise UsageError(f"{option('output')}: the suffix of {output} says no format of a {what}; {ways}")
        return meant or "html"
    chosen = next(one for one in formats if one == named)
    if meant is not None and meant != chosen:
        raise UsageError(f"{option('format')}: is {chosen}, but {output} says {meant}; leave one of them out")
    return chosen


def _either(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} or {texts[-1]}"
