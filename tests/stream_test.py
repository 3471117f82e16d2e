"""Tests of errors local in time: of whole signals, and of streams."""

import functools

from absl.testing import parameterized
import equinox
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

make_key = jax.random.key  # a new one wherever a key is used
SIGNALS = jax.random.normal(make_key(5), (2, 6, 4))
TARGETS = jax.random.normal(make_key(6), (6, 2, 1, 3))


class Layers(nn.Module):
  """Recurrent layers of flax, and logits."""

  cell: type
  num_layers: int = 2

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    for _ in range(self.num_layers):
      x = nn.RNN(self.cell(5))(x)
    return nn.Dense(3)(x)


def of_flax(cell, num_layers=2):
  """Returns a function and its parameters."""
  model = Layers(cell, num_layers)
  return model.apply, model.init(make_key(0), SIGNALS)


def of_equinox(kind):
  """Returns a function of cells of equinox, whose gates are in one array."""
  cells = tuple(kind(size, 5, key=jax.random.PRNGKey(size)) for size in (4, 5))
  arrays, static = equinox.partition(
    (cells, jnp.ones((5, 3))), equinox.is_array
  )

  def apply(params, x):
    cells, weights = equinox.combine(params, static)
    rest = jnp.zeros((len(x), 5))
    for cell in cells:
      run = jax.vmap(cell)

      def step(state, now, run=run):
        state = run(now, state)
        return state, state[0] if isinstance(state, tuple) else state

      start = (rest, rest) if kind is equinox.nn.LSTMCell else rest
      _, x = jax.lax.scan(step, start, x.swapaxes(0, 1))
      x = x.swapaxes(0, 1)
    return x @ weights

  return apply, arrays


def draw_weights(*shapes):
  """Draws weights of a user's own cells."""
  keys = jax.random.split(make_key(2), len(shapes))
  return [jax.random.normal(key, own) for key, own in zip(keys, shapes)]


def scan(step, start, x):
  """Runs a cell over moments of signals, the second axis."""
  _, ys = jax.lax.scan(step, start, x.swapaxes(0, 1))
  return ys.swapaxes(0, 1)


def linear(params, x):
  """A diagonal linear recurrence, whose decays are learned."""
  decays, receive, read = params
  decays = jax.nn.sigmoid(decays)[None]

  def step(h, now):
    h = decays * h + jnp.sqrt(1 - decays**2) * (now @ receive)
    return h, h

  return jax.nn.gelu(scan(step, jnp.zeros((len(x), 5)), x)) @ read


def leaky(params, x):
  """Leaky neurons that fire with a soft slope, with one decay of all."""
  decay, receive, recur, read = params

  @jax.custom_jvp
  def fire(v):
    return (v > 0).astype(v.dtype)

  fire.defjvp(lambda v, t: (fire(v[0]), t[0] / (1 + jnp.abs(v[0])) ** 2))

  def step(carry, now):
    v, spikes = carry
    v = decay[0] * v * (1 - spikes) + now @ receive + spikes @ recur
    return (v, fire(v - 1)), fire(v - 1)

  start = jnp.zeros((2, len(x), 5))
  return scan(step, (start[0], start[1]), x) @ read


def packed(params, x):
  """Two cells in one scan, of one carry, in which slices are delayed."""
  first, second, read = params

  def step(carry, now):
    v, w, late = jnp.split(carry, 3, axis=1)
    v = jnp.tanh(0.5 * v + now @ first)
    w = 0.75 * w + jnp.concatenate([v, late], axis=1) @ second
    return jnp.concatenate([v, w, w * jax.nn.sigmoid(v)], axis=1), w

  return scan(step, jnp.zeros((len(x), 15)), x) @ read


def chosen(params, x):
  """Neurons with a maximum, a condition of signals and a norm."""
  receive, recur, scale, read = params

  def step(h, now):
    v = now @ receive + h @ recur
    v = v / (1 + jnp.mean(v**2, axis=1, keepdims=True))
    kept = jnp.where(v > 0.2, scale[None] * h, -0.5 * h)
    return jnp.maximum(kept, v) + kept, kept

  return scan(step, jnp.zeros((len(x), 5)), x) @ read


CELLS = {
  'GRU': functools.partial(of_flax, nn.GRUCell),
  'GRU of one layer': functools.partial(of_flax, nn.GRUCell, 1),
  'LSTM': functools.partial(of_flax, nn.OptimizedLSTMCell),
  'LSTM of one layer': functools.partial(of_flax, nn.LSTMCell, 1),
  'MGU': functools.partial(of_flax, nn.MGUCell),
  'Elman': functools.partial(of_flax, nn.SimpleCell),
  'GRU of equinox': functools.partial(of_equinox, equinox.nn.GRUCell),
  'LSTM of equinox': functools.partial(of_equinox, equinox.nn.LSTMCell),
  'linear': lambda: (linear, draw_weights((5,), (4, 5), (5, 3))),
  'leaky': lambda: (leaky, draw_weights((1,), (4, 5), (5, 5), (5, 3))),
  'packed': lambda: (packed, draw_weights((4, 5), (10, 5), (5, 3))),
  'chosen': lambda: (chosen, draw_weights((4, 5), (5, 5), (5,), (5, 3))),
  'traces': lambda: (
    lambda params, x: ssnn_jax.trace(
      jnp.tanh(ssnn_jax.trace(x, (0, 0.5)) @ params[0]), (0.5, 0.75)
    ) @ params[1],
    draw_weights((8, 5), (10, 3)),
  ),
}  # fmt: skip


def loss_of_moment(outputs, target):
  """Returns the loss of the outputs of a signal of one moment."""
  return jnp.sum(jnp.sin(3 * outputs) * target)


def find_gradient(function, params):
  """Returns the gradient of the losses of all moments of whole signals."""
  targets = TARGETS[:, :, 0].swapaxes(0, 1)
  loss = lambda params: loss_of_moment(function(params, SIGNALS), targets)
  return jax.jit(jax.grad(loss))(params)


def run_stream(spiking, params):
  """Returns the sums of updates, the outputs, and the memory."""
  start, step = ssnn_jax.stream(spiking, params, loss_of_moment)
  memory, step, outputs = start(SIGNALS[:, 0]), jax.jit(step), []
  total = jax.tree.map(jnp.zeros_like, params)
  for t in range(6):
    memory, moment = step(memory, params, SIGNALS[:, t], TARGETS[t])
    total = jax.tree.map(jnp.add, total, moment.update)
    outputs.append(moment.outputs)
  return total, jnp.concatenate(outputs, axis=1), memory


def find_distance(found, expected):
  """Returns the greatest relative distance of arrays."""
  distance = lambda a, b: jnp.linalg.norm(a - b) / jnp.linalg.norm(b)
  return max(jax.tree.leaves(jax.tree.map(distance, found, expected)))


class StreamTest(parameterized.TestCase):
  @parameterized.named_parameters(CELLS.items())
  def test_updates_sum_up_to_the_gradient(self, make):
    self.enter_context(jax.debug_key_reuse(False))  # flax draws carries of 0
    function, params = make()
    for num_steps in (None, 8):
      spiking = ssnn_jax.spike(function, bptt=False, num_steps=num_steps)
      total, outputs, _ = run_stream(spiking, params)
      whole = jax.jit(spiking)(params, SIGNALS)
      np.testing.assert_allclose(outputs, whole, atol=1e-5)
      self.assertLess(
        find_distance(total, find_gradient(spiking, params)), 2e-6
      )
