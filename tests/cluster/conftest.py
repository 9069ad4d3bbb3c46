"""A cluster of hosts on one machine, for all tests of this room."""
