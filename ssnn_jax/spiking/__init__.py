"""Spikes of a sign and an exponent: a neuron, and any function in neurons."""

from ssnn_jax.powers import leading_digits as leading_digits
from ssnn_jax.powers import nearest_power as nearest_power
from ssnn_jax.spiking.explain import explain as explain
from ssnn_jax.spiking.functions import Function as Function
from ssnn_jax.spiking.functions import as_function as as_function
from ssnn_jax.spiking.neuron import fire as fire
from ssnn_jax.spiking.play import play as play
from ssnn_jax.spiking.play import play_stream as play_stream
from ssnn_jax.spiking.stream import stream as stream
from ssnn_jax.spiking.transform import spike as spike
