"""Simulation: the rules of the neuron over windows, layers and samples.

`buffered` and `realtime` run one sample; `presentation` lifts them over the
batch, and loops over the time of a presentation; `updates` counts.
"""
