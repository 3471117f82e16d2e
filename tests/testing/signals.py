"""Models of signals of several libraries, with sums on a grid."""

import functools

import equinox as eqx
from flax import nnx
import flax.linen as nn
import jax

import ssnn_jax
from tests.testing import models

NUM_MOMENTS, CHANNELS, NUM_CLASSES = 6, 4, 3
BITS = 8  # of traces on a grid
trace = functools.partial(ssnn_jax.trace, bits=BITS)


class Layers(nn.Module):
  """Layers of traces and neurons, of flax.linen."""

  neuron: object
  widths: tuple
  decays: tuple
  bits: int | None = BITS
  bptt: bool = False

  @nn.compact
  def __call__(self, x):
    for width in self.widths:
      x = ssnn_jax.trace(x, self.decays, bits=self.bits, bptt=self.bptt)
      x = self.neuron(nn.Dense(width)(x), ceiling=4.0)
    return nn.Dense(NUM_CLASSES)(x)


class Gated(nnx.Module):
  """A product of two layers, of which one is signed, and a residual sum."""

  def __init__(self, neuron, rngs, bits=BITS):
    self.neuron, self.bits = neuron, bits
    self.gate, self.hidden = (nnx.Linear(8, 5, rngs=rngs) for _ in range(2))
    self.out = nnx.Linear(10, NUM_CLASSES, rngs=rngs)

  def __call__(self, x):
    x = ssnn_jax.trace(x, (0, 0.75), bits=self.bits)
    y = self.neuron(self.gate(x), ceiling=1.0)
    x = self.neuron(self.hidden(x), floor=-2.0, ceiling=2.0)
    return self.out(ssnn_jax.trace(x + x * y, (0, 0.5), bits=self.bits))


class Single(eqx.Module):
  """A model of one sample, of equinox, whose output sees traces."""

  neuron: object
  trace: object
  hidden: eqx.nn.Linear
  out: eqx.nn.Linear

  def __init__(self, neuron, key, bits=BITS):
    keys = jax.random.split(key)
    self.neuron = neuron
    self.trace = functools.partial(ssnn_jax.trace, axis=0, bits=bits)
    self.hidden = eqx.nn.Linear(2 * CHANNELS, 6, key=keys[0])
    self.out = eqx.nn.Linear(12, NUM_CLASSES, key=keys[1])

  def __call__(self, x):
    x = jax.vmap(self.hidden)(self.trace(x, (0.0, 0.5)))
    return jax.vmap(self.out)(self.trace(self.neuron(x), (0.5, 0.75)))


FIELDS = {
  'input_shape': (NUM_MOMENTS, CHANNELS),
  'grid': functools.partial(models.to_grid, steps=8),
}
linen = lambda *own, **fields: ssnn_jax.from_linen(
  lambda neuron: Layers(neuron, *own), **FIELDS | fields
)
MODELS = {
  'two': linen((6, 5), (0, 0.5, 0.75), num_steps=4, num_winners=16),
  'three': linen((5, 4, 4), (0, 0.5), num_steps=16, digits=1, answers='each'),
  'nnx': ssnn_jax.from_nnx(Gated, num_steps=2, num_winners=1, **FIELDS),
  'equinox': ssnn_jax.from_equinox(Single, num_steps=8, digits=3, **FIELDS),
}
