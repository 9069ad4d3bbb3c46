"""What a sweep trains, in Keras alone: each trainable has its model, data and default sweep; all train the same way.

A trainable of your own needs three names: `from trainables import Data, Trainable, TrainingParams`. `Infeasible` is for
configurations that cannot be trained, `Phase` for trainings in phases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.contract import Data, DataError, Trainable, TrainingParams
    from trainables.exceptions import Infeasible
    from trainables.phases import Phase

__all__ = ["Data", "DataError", "Infeasible", "Phase", "Trainable", "TrainingParams"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Looks a name of `__all__` up once it is asked for, so that importing a module of this package stays cheap."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from trainables import contract, exceptions

        return getattr(exceptions if hasattr(exceptions, name) else contract, name)
