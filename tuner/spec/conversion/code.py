"""Python code with a search space, read and never run."""

from __future__ import annotations

import ast
import warnings

from tuner.base.errors import UsageError
from tuner.spec.conversion import wandb
from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.literals import Literals
from tuner.spec.conversion.settings import add_settings, add_wandb_settings
from tuner.spec.conversion.spaces import add_spaces, wandb_sweep
from tuner.spec.conversion.suggestions import Suggestions


def draft_of_code(text: str, file_name: str) -> Draft | None:
    """The draft of a program of W&B, Optuna, Ray Tune or Hyperopt; None if it holds no space.

    Raises:
        UsageError: it is no Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        literals = Literals(tree)
        if (sweep := wandb_sweep(tree, literals)) is not None:
            draft = wandb.draft_of(sweep, file_name)
            add_wandb_settings(tree, draft, literals)
            return draft
        draft = Draft("Optuna", file_name)
        suggestions = Suggestions(draft, literals)
        suggestions.visit(tree)
        if not suggestions.found:
            draft.tool, draft.algorithm = "Ray Tune", "random"  # what Tune does without a searcher
            if not add_spaces(tree, draft, literals):
                return None
        add_settings(tree, draft, literals)
    except SyntaxError as error:
        raise UsageError(f"{file_name}.py: must be Python, but line {error.lineno} is not: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise UsageError(
            f"{file_name}.py: must be Python that can be read, but {error or 'it is nested too deeply'}"
        ) from None
    return draft
