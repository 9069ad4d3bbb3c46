"""Shared by every room: errors, the words for outcomes, formatting of messages, secrets, versions. Imports no room."""
