"""Data as people have them: arrays, tables, and folders of images, text or audio, as a `Data` with its splits.

`Data.from_csv` and its siblings lead here. Labels and splits are decided first (`labels`, `splitting`, `planning`).
What must be decoded is decoded once a machine, into a file of rows of one size (`rows`, `node_cache`). `building` makes
arrays of it, or, where it is larger than `in_memory_bytes`, a stream (`streams`). Importing this room imports neither
TensorFlow nor pandas.
"""
