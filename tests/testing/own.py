"""Models of a user, for commands: the function of `--model`."""

import equinox as eqx
from flax import nnx
import jax
import numpy as np

import ssnn_jax

SHAPE, NUM_CLASSES = (6, 6), 3


class Mixer(nnx.Module):
  """A mixer of rows and columns, of flax.nnx."""

  def __init__(self, width, rngs):
    self.norm = nnx.LayerNorm(6, rngs=rngs)
    self.rows = nnx.Linear(6, width, rngs=rngs)
    self.back = nnx.Linear(width, 6, rngs=rngs)
    self.out = nnx.Linear(36, NUM_CLASSES, rngs=rngs)

  def __call__(self, x):
    y = nnx.gelu(self.rows(self.norm(x).swapaxes(1, 2)))
    x = x + self.back(y).swapaxes(1, 2)
    return self.out(x.reshape(len(x), -1))


class Single(eqx.Module):
  """A model of one sample, of equinox."""

  hidden: eqx.nn.Linear
  out: eqx.nn.Linear

  def __init__(self, width, key):
    keys = jax.random.split(key)
    self.hidden = eqx.nn.Linear(6, width, key=keys[0])
    self.out = eqx.nn.Linear(6 * width, NUM_CLASSES, key=keys[1])

  def __call__(self, x):
    return self.out(jax.nn.silu(jax.vmap(self.hidden)(x)).ravel())


def make_function(width):
  """Makes a gated layer, with dropout in training."""
  draw = jax.nn.initializers.lecun_normal()
  sizes = (36, width), (36, width), (width, NUM_CLASSES)

  def init(key):
    keys = jax.random.split(key, len(sizes))
    return [draw(own, size) for own, size in zip(keys, sizes)]

  def apply(params, x, key=None):
    x = x.reshape(len(x), -1)
    x = jax.nn.sigmoid(x @ params[1]) * (x @ params[0])
    if key is not None:
      x = x * 2.0 * jax.random.bernoulli(key, shape=x.shape).astype(x.dtype)
    return x @ params[2]

  return ssnn_jax.spiking.Function(init, apply, train=apply)


def make(kind='function', width=8):
  """Makes a model of a kind, as of `--model`."""
  if kind == 'nnx':
    return Mixer(width, nnx.Rngs(0))
  if kind == 'equinox':
    return Single(width, jax.random.key(0))
  return make_function(width)


def batch(size=8, seed=0):
  """Returns images whose brightest pair of rows is their class."""
  rng = np.random.default_rng(seed)
  labels = np.int32(np.arange(size) % NUM_CLASSES)
  images = rng.random((size, *SHAPE), np.float32) / 2
  for place, label in enumerate(labels):
    images[place, 2 * label : 2 * label + 2] += 0.5
  return images, labels
