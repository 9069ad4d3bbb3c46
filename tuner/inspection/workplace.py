"""The trainable as a worker has it. Workers and the probe load it here, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from trainables.contract import Data, Trainable
from trainables.given import Given, giving, remember_texts
from trainables.importable import look_in
from trainables.learned import Learned, teach
from trainables.scripts.functions import Loop
from trainables.sources import Sources
from tuner.inspection.examine import load_trainable


class Workplace(Protocol):
    """What a process must know to load a sweep's trainable."""

    @property
    def trainable(self) -> str: ...
    @property
    def data(self) -> str | None: ...
    @property
    def sources(self) -> Sources | None: ...
    @property
    def given(self) -> Given | None: ...
    @property
    def import_folder(self) -> str | None: ...
    @property
    def learned(self) -> Learned: ...
    @property
    def fixed_params(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Place:
    """What the probe's process knows of a sweep's trainable."""

    trainable: str
    data: str | None
    sources: Sources | None = None
    given: Given | None = None
    import_folder: str | None = None
    learned: Learned = field(default_factory=Learned)
    fixed_params: Mapping[str, Any] = field(default_factory=dict)


def load_instance(place: Workplace) -> Trainable:
    """A new instance of the sweep's trainable, from its code as the sweep keeps it.

    Raises:
        LookupError: there is no such trainable.
        Exception: whatever the trainable's own code raises.
    """
    look_in(place.import_folder)
    if place.given is not None:
        remember_texts(place.given)
    with giving(place.given):
        kind = load_trainable(place.trainable, place.sources)
        assert not isinstance(kind, Loop), "a loop has a trainer of its own"
        trainable = kind(place.data)
        trainable.fixed_params = place.fixed_params
        return trainable


def with_data(trainable: Trainable, data: Data | None, learned: Learned) -> Data:
    """The data that trials train on, and what `load_data` left in the trainable.

    Args:
        data: as another process loaded and handed them over; None to load them here.
        learned: what they left there.

    Raises:
        Exception: whatever `load_data` raises.
    """
    if data is not None:
        with suppress(
            Exception
        ):  # of a class that only the process that loaded them could pickle: they are loaded here
            teach(trainable, learned, data)
            return data
    from trainables.training.pipeline_draws import reproducible_draws

    with reproducible_draws():
        return trainable.load_data()
