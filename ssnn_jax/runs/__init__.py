"""Folders of networks and runs.

`networks` saves and loads a network, `checkpoints` the states of a run; `files`
has writes that survive a kill, and digests.
"""

from ssnn_jax.runs.checkpoints import load_params as load_params
from ssnn_jax.runs.networks import load as load
from ssnn_jax.runs.networks import save as save
