"""Folders of runs: checkpoints, files that survive a kill, and provenance."""

from ssnn_jax.runs.checkpoints import load_params

__all__ = ('load_params',)
