"""The rules of a running sweep, without Ray: which trial a slot gets, what follows from a report, what is kept."""
