"""Models of several libraries, small, with weights on a grid."""

from collections.abc import Callable
import dataclasses
import functools

import equinox as eqx
from flax import nnx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

SHAPE, NUM_CLASSES = (6, 6), 3


class Residual(nn.Module):
  """A residual convolution with pooling, of flax.linen."""

  neuron: Callable

  @nn.compact
  def __call__(self, x):
    x = self.neuron(nn.Conv(4, (3, 3))(x[..., None]))
    x = x + self.neuron(nn.Conv(4, (3, 3))(x), dropout=0.5)
    x = x.reshape(-1, 3, 2, 3, 2, 4).mean(axis=(2, 4))  # pooling
    return nn.Dense(NUM_CLASSES)(x.reshape(len(x), -1))


class Mixer(nnx.Module):
  """A mixer of rows and columns, of flax.nnx."""

  def __init__(self, neuron, rngs):
    self.neuron = neuron
    self.rows = nnx.Linear(6, 8, rngs=rngs)
    self.back = nnx.Linear(8, 6, rngs=rngs)
    self.columns = nnx.Linear(6, 8, rngs=rngs)
    self.out = nnx.Linear(8, NUM_CLASSES, rngs=rngs)

  def __call__(self, x):
    y = self.neuron(self.rows(x.swapaxes(1, 2)))
    x = self.neuron(x + self.back(y).swapaxes(1, 2))
    x = self.neuron(self.columns(x), dropout=0.5)
    return self.out(x.sum(axis=1) / 4)


class Single(eqx.Module):
  """A model of one sample with a loop over tokens, of equinox."""

  neuron: Callable
  hidden: eqx.nn.Linear
  out: eqx.nn.Linear

  def __init__(self, neuron, key):
    keys = jax.random.split(key)
    self.neuron = neuron
    self.hidden = eqx.nn.Linear(6, 8, key=keys[0])
    self.out = eqx.nn.Linear(48, NUM_CLASSES, key=keys[1])

  def __call__(self, x):
    rows = jax.vmap(self.hidden)(x)
    sent = self.neuron(rows, floor=-1.0, dropout=0.5)
    return self.out(sent.ravel())


class Block(nn.Module):
  """A residual layer, of a scan."""

  neuron: Callable

  @nn.compact
  def __call__(self, x, _):
    return x + self.neuron(nn.Dense(8)(x), ceiling=2.0), None


class Shared(nn.Module):
  """Weights that are used twice, then layers of a scan, of flax.linen."""

  neuron: Callable

  @nn.compact
  def __call__(self, x):
    x = self.neuron(nn.Dense(8)(x.reshape(len(x), -1)))
    again = nn.Dense(8)
    for _ in range(2):
      x = self.neuron(again(x), dropout=0.5)
    blocks = nn.scan(
      nn.remat(Block),
      variable_axes={'params': 0},
      split_rngs={'params': True},
      length=2,
    )
    x, _ = blocks(self.neuron)(x, None)
    return nn.Dense(NUM_CLASSES)(x)


def init_pair(key):
  """Draws the parameters of a pair of functions."""
  draw = jax.nn.initializers.lecun_normal()
  sizes = (36, 8), (36, 8), (8, NUM_CLASSES)
  return [draw(jax.random.fold_in(key, i), own) for i, own in enumerate(sizes)]


def apply_pair(params, rates, neuron):
  """Returns the logits of a gated layer."""
  rates = rates.reshape(len(rates), -1)
  gates = neuron(rates @ params[1], dropout=0.5)
  return (neuron(rates @ params[0]) * gates) @ params[2]


def to_grid(params, steps=16):
  """Rounds parameters to multiples of 1 / steps, with a derivative of 1."""
  fixed = jax.lax.stop_gradient
  return jax.tree.map(
    lambda own: own + fixed(jnp.round(steps * own) / steps - own), params
  )


_FIELDS = {'num_steps': 4, 'grid': to_grid}
MODELS = {
  'linen': ssnn_jax.from_linen(Residual, SHAPE, **_FIELDS),
  'nnx': ssnn_jax.from_nnx(Mixer, SHAPE, **_FIELDS),
  'equinox': ssnn_jax.from_equinox(Single, SHAPE, **_FIELDS),
  'shared': ssnn_jax.from_linen(Shared, SHAPE, **_FIELDS),
  'pair': ssnn_jax.Model(init_pair, apply_pair, SHAPE, **_FIELDS),
}


def make(name='pair', bits=4):
  """Makes a model for commands: the function of `--model`."""
  model = MODELS[name]
  grid = functools.partial(to_grid, steps=2**bits)
  return dataclasses.replace(model, grid=grid)


def batch(size=8, seed=0):
  """Returns images whose brightest pair of rows is their class."""
  rng = np.random.default_rng(seed)
  labels = np.int32(np.arange(size) % NUM_CLASSES)
  images = rng.random((size, *SHAPE), np.float32) / 2
  for place, label in enumerate(labels):
    images[place, 2 * label : 2 * label + 2] += 0.5
  return images, labels
