"""Sweeps written for other tools as specs: W&B sweep files, and Python code of W&B, Optuna, Ray Tune and Hyperopt.

`files.converted` reads a file into a draft, `writing.spec_text` writes it. Code is parsed and never run. What has no
counterpart, and what was assumed, is said in a line each.
"""
