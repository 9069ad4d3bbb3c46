"""The command line: one small file a group of commands. Data goes to standard output, people's text to stderr."""
