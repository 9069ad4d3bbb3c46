"""A YAML reader that rejects documents which would take too long or expand to too much."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.events import AliasEvent


class LimitedYAML(YAML):
    """Reads YAML of plain values, with limits on their number and depth.

    A value counts as often as aliases repeat it, which bounds what merge keys and nested aliases expand to.
    """

    def __init__(self, max_values: int, max_depth: int, version: tuple[int, int] = (1, 2)) -> None:
        super().__init__(typ="safe", pure=True)
        self.version = version
        self.max_values, self.deepest = max_values, max_depth
        self.Composer = _LimitedComposer


class _LimitedComposer(Composer):
    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False
        self._values = self._level = 0
        self._values_of: dict[str, int] = {}
        """The number of values behind each anchor, once it is read."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._values_of:
                raise self._problem("an alias must not stand within what it repeats", event)
            self._count(self._values_of.get(event.anchor, 1), event)
            return super().compose_node(parent, index)
        before = self._values
        self._values_of.pop(event.anchor, None)
        self._count(1, event)
        self._level += 1
        if self._level > self.loader.deepest:
            raise self._problem(f"it must not be nested more than {self.loader.deepest} levels deep", event)
        node = super().compose_node(parent, index)
        self._level -= 1
        if event.anchor is not None:
            self._values_of[event.anchor] = self._values - before
        return node

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > self.loader.max_values:
            raise self._problem(f"it must hold at most {self.loader.max_values} keys and values", event)

    def _problem(self, text: str, event: Any) -> ComposerError:
        return ComposerError(None, None, text, event.start_mark)
