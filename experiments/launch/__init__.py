"""Launchers: this process, local workers, and the nodes of a Ray cluster."""
