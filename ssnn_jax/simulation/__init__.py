"""Simulation: the rules of the neuron over windows, layers and samples.

Functions are for one sample and one block of windows; `ssnn_jax.network` lifts
them over the batch and scans them over the blocks of a presentation.
"""
