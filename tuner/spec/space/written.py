"""How parameters are written, in YAML and in Python, and which kind each is."""

from __future__ import annotations

from typing import Any, ClassVar

from tuner.spec.space.base import BaseParameter


class Written(dict[str, Any]):
    """A parameter written in Python, whose class gives its kind: `Float(1, 10)` is not an Int."""

    kind: ClassVar[str]


class WrittenFloat(Written):
    kind = "float"


class WrittenInt(Written):
    kind = "int"


class WrittenChoice(Written):
    kind = "choice"


def kind_of(written: Any) -> str:
    """The kind of parameter that a piece of YAML describes; all-integer ranges are Ints."""
    if isinstance(written, Written):
        return "repeated" if "repeat" in written else written.kind
    if isinstance(written, BaseParameter):
        return type(written).__name__.lower()
    if not isinstance(written, dict) or "value" in written:
        return "constant"
    if "repeat" in written:
        return "repeated"
    if "choices" in written:
        return "choice"
    numbers = [written[key] for key in ("low", "high", "step") if written.get(key) is not None]
    return "int" if numbers and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers) else "float"
