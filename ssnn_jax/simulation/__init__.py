"""Simulation: the rules of the neuron over windows, layers and samples.

Rules are for one sample; `ssnn_jax.simulation.presentation` lifts them over the
batch, and loops over the time of a presentation.
"""
