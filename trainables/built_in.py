"""Names of the built-in data sets. Imports nothing, as every spec is compared with them."""

BUILT_IN = ("digits", "mnist")
"""Those that are arrays of examples."""
NAMES = (*BUILT_IN, "sentences", "seasons", "breast_cancer", "diabetes", "wine", "tones")
"""All of them: what a spec's `data` may be that is no path."""
