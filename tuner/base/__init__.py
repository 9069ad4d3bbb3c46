"""What every room uses: errors, how values and messages are written, secrets, versions. Imports no other room."""
