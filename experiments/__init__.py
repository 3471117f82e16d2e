"""Experiments with ssnn_jax, run as `python -m experiments.NAME`."""
