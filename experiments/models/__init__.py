"""Models that `--model=<name>` names; a user's is `path/to/own.py:make`."""
