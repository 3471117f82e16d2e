"""Spikes of a sign and an exponent: a neuron, and any function in neurons."""

from ssnn_jax.spiking.explain import explain as explain
from ssnn_jax.spiking.neuron import INPUT_STEPS as INPUT_STEPS
from ssnn_jax.spiking.neuron import MOST_WINNERS as MOST_WINNERS
from ssnn_jax.spiking.neuron import NUM_WINNERS as NUM_WINNERS
from ssnn_jax.spiking.neuron import Neurons as Neurons
from ssnn_jax.spiking.neuron import check_exact as check_exact
from ssnn_jax.spiking.neuron import check_neurons as check_neurons
from ssnn_jax.spiking.neuron import count_winners as count_winners
from ssnn_jax.spiking.neuron import cross_entropy as cross_entropy
from ssnn_jax.spiking.neuron import draw_phases as draw_phases
from ssnn_jax.spiking.neuron import draw_trains as draw_trains
from ssnn_jax.spiking.neuron import encode as encode
from ssnn_jax.spiking.neuron import encode_rates as encode_rates
from ssnn_jax.spiking.neuron import find_winners as find_winners
from ssnn_jax.spiking.neuron import fire as fire
from ssnn_jax.spiking.neuron import leading_digits as leading_digits
from ssnn_jax.spiking.neuron import mark_classes as mark_classes
from ssnn_jax.spiking.neuron import nearest_power as nearest_power
from ssnn_jax.spiking.neuron import respond as respond
from ssnn_jax.spiking.neuron import settle_counts as settle_counts
from ssnn_jax.spiking.play import play as play
from ssnn_jax.spiking.play import play_stream as play_stream
from ssnn_jax.spiking.stream import stream as stream
from ssnn_jax.spiking.transform import spike as spike
