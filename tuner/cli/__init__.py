"""The command line, one small file per group of commands. Data go to standard output, text for people to stderr."""
