"""The former place of `name_taken`; import it from `tuner.journal`."""

from tuner.journal.creating import name_taken

__all__ = ["name_taken"]
