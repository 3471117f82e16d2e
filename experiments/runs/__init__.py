"""Runs: their configurations, records, training, sweeps and launchers."""
