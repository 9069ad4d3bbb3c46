"""What `import tuner` provides: sweeps as Python objects. The command line is built on it."""
