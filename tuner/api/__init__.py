"""What `import tuner` gives: sweeps as Python objects. The command line is a caller of it."""
