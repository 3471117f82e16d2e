"""Stochastic neurons over windows, layers and samples.

`buffered` runs one sample; `presentation` lifts it over the batch, and loops
over the windows of a presentation; `updates` counts.
"""
