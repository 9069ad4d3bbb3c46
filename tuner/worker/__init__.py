"""What a process does that trains: trials, checkpoints, memory, cards. It knows nothing of Ray.

`process` is its begin: it hears of assignments through a connection, and answers each with a report.
"""
