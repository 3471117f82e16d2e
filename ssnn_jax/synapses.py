"""Synapses: how many a spike reaches, of any model whose spikes add up.

A presynaptic end is a rate, or a trace of rates (`temporal`), and a synapse is
one of its ends with a postsynaptic neuron whose potential depends on it: a
derivative that is not 0. A neuron whose traces have D decays has D synapses
with each neuron that sees them. Synapses of a fixed weight count as well, and
the two factors of a product of rates, such as those of a gate.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import jax
from jax.flatten_util import ravel_pytree
import numpy as np

from ssnn_jax import intercept
from ssnn_jax import temporal


class Synapses(NamedTuple):
  """Synapses of U presynaptic ends of I inputs and neurons, with J neurons.

  Inputs and neurons of all layers are in one axis, first layer first; those of
  J are hidden neurons and the output.

  Attributes:
    sources: `[U, I]`, 1 where an end receives the spikes of a neuron.
    reached: for each layer of J, `[U, J]`, 1 where there is a synapse.
    num_inputs: inputs among I, which receive no error.
  """

  sources: np.ndarray
  reached: tuple[np.ndarray, ...]
  num_inputs: int


class Additions(NamedTuple):
  """Events `[n, B]` of ticks, into or from a layer of postsynaptic neurons."""

  forward: np.ndarray  #: spikes that reach a synapse
  backward: np.ndarray  #: error spikes that reach a synapse, for neurons below
  #: changes of a synapse, by a spike at either end while the other end has
  #: spikes or a trace that is not 0
  changes: np.ndarray


def find(
  evaluate: Callable[..., Sequence[jax.Array]],
  recalls: Sequence[intercept.Recall],
  params: Any,
  shapes: Sequence[tuple[int, ...]],
) -> Synapses:
  """Finds the synapses of a circuit.

  Args:
    evaluate: `(params, rates, remember) -> potentials` of hidden layers and the
      output, with traces that `remember` returns, as of `intercept`.
    recalls: its calls of `trace`, of one sample.
    params: parameters, whose values do not matter.
    shapes: of inputs, hidden layers and output.
  """
  draw = np.random.default_rng(0).uniform
  # Above 0, so that no sum of weights is 0.
  fill = lambda own: np.float32(draw(0.5, 1.5, np.shape(own)))
  params = jax.tree.map(fill, params)
  rates = [fill(np.zeros((1, *own))) for own in shapes[:-1]]
  traces = [
    fill(np.zeros(temporal.join(own.rates.shape, own.memory)))
    for own in recalls
  ]
  flat, unravel = ravel_pytree((rates, traces))

  @jax.jit
  @jax.jacfwd
  def differentiate(flat):
    rates, traces = unravel(flat)
    received = []

    def remember(number, own):
      received.append(own)
      return traces[number]

    potentials = evaluate(params, rates, remember)
    return [own.ravel() for own in (*received, *potentials)]

  found = [own != 0 for own in jax.device_get(differentiate(flat))]
  num_neurons = sum(own.size for own in rates)
  sources = np.eye(num_neurons, dtype=np.float32)
  for own, recall in zip(found, recalls):  # of their ends so far
    inside = own[:, : len(sources)] @ sources > 0
    inside = inside.reshape(-1, 1, recall.rates.shape[-1], num_neurons)
    inside = inside.repeat(len(recall.memory.decays), axis=1)
    inside = inside.reshape(-1, num_neurons)
    sources = np.concatenate([sources, inside.astype(np.float32)])
  reached = (np.float32(own.T) for own in found[len(recalls) :])
  return Synapses(sources, tuple(reached), rates[0].size)


def count(
  synapses: Synapses,
  spikes: Sequence[np.ndarray],
  errors: Sequence[np.ndarray],
  standing: Sequence[np.ndarray],
  errors_standing: Sequence[np.ndarray],
  kept: Sequence[np.ndarray] = (),
) -> list[Additions]:
  """Counts the additions of a presentation, as if spikes arrived at once.

  Args:
    synapses: of the circuit.
    spikes: `[n, B, ...]` spikes of inputs and hidden layers.
    errors: `[n, B, ...]` error spikes of hidden layers and output.
    standing: `[B, ...]` what layers have sent before.
    errors_standing: errors that they have sent before.
    kept: `[B, ...]` traces before the first tick, of each call of `trace`.

  Returns:
    Those of each layer of postsynaptic neurons.
  """
  flatten = lambda own, axes: own.reshape(*own.shape[:axes], -1)
  sent = np.concatenate([flatten(own, 2) for own in spikes], axis=2)
  before = np.concatenate([flatten(own, 1) for own in standing], axis=1)
  before = before + np.cumsum(sent, axis=0) - sent
  kept = [flatten(own, 1) for own in kept]
  kept = np.concatenate([np.zeros_like(before[0]), *kept], axis=1) != 0
  arriving = np.float32(sent != 0) @ synapses.sources.T
  active = np.float32(before != 0) @ synapses.sources.T > 0
  active = np.float32(active | kept)
  below = synapses.sources[:, synapses.num_inputs :].sum(axis=1)
  layers = []
  for reached, own, stood in zip(synapses.reached, errors, errors_standing):
    own, stood = flatten(own, 2), flatten(stood, 1)
    after = stood + np.cumsum(own, axis=0) != 0
    own = own != 0
    changes = (arriving @ reached) * after + (active @ reached) * own
    layers.append(
      Additions(
        *(
          np.sum(x, axis=-1, dtype=np.float64)
          for x in (arriving * reached.sum(axis=1), own * (below @ reached))
        ),
        np.sum(changes, axis=-1, dtype=np.float64),
      )
    )
  return layers
