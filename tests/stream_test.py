"""Tests of errors local in time: of whole signals, and of streams."""

import functools

from absl.testing import parameterized
import equinox
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.spiking import transform

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
  """Cells in one scan, of one carry: a slice hears the past of others."""
  first, second, read = params

  def step(carry, now):
    v, w, late = jnp.split(carry, 3, axis=1)
    own = jnp.tanh(0.5 * v + now @ first)
    heard = 0.75 * w + v + jnp.concatenate([v, late], axis=1) @ second
    return jnp.concatenate([own, heard, w], axis=1), heard * late + late

  return scan(step, jnp.zeros((len(x), 15)), x) @ read


def chosen(params, x):
  """Neurons with a maximum, a condition of signals and a norm."""
  receive, recur, scale, read = params

  def step(h, now):
    v = now @ receive + h @ recur
    v = v / (1 + jnp.mean(v**2, axis=1, keepdims=True))
    other = -0.5 * jnp.roll(h, 1, axis=1)
    kept = jnp.where(v > 0.2, scale[None] * h, other)
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
  """Returns the gradient of the losses of all moments, and outputs."""
  targets = TARGETS[:, :, 0].swapaxes(0, 1)

  def find_loss(params):
    outputs = function(params, SIGNALS)
    return loss_of_moment(outputs, targets), outputs

  return jax.jit(jax.grad(find_loss, has_aux=True))(params)


def run_stream(spiking, params):
  """Returns sums of updates, outputs, and the first and last memory."""
  start, step = ssnn_jax.stream(spiking, params, loss_of_moment)
  started, step, outputs = start(SIGNALS[:, 0]), jax.jit(step), []
  memory, total = started, jax.tree.map(jnp.zeros_like, params)
  for t in range(6):
    memory, moment = step(memory, params, SIGNALS[:, t], TARGETS[t])
    total = jax.tree.map(jnp.add, total, moment.update)
    outputs.append(moment.outputs)
  return total, jnp.concatenate(outputs, axis=1), started, memory


def find_distance(found, expected):
  """Returns the greatest relative distance of arrays."""
  distance = lambda a, b: jnp.linalg.norm(a - b) / jnp.linalg.norm(b)
  return max(jax.tree.leaves(jax.tree.map(distance, found, expected)))


class StreamTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (name, make, (None, 8)[n % 2])
    for n, (name, make) in enumerate(CELLS.items())
  )
  def test_updates_sum_up_to_the_gradient(self, make, num_steps):
    self.enter_context(jax.debug_key_reuse(False))  # flax draws carries of 0
    function, params = make()
    spiking = ssnn_jax.spike(function, bptt=False, num_steps=num_steps)
    total, outputs, started, memory = run_stream(spiking, params)
    gradient, whole = find_gradient(spiking, params)
    np.testing.assert_allclose(outputs, whole, atol=1e-5)
    self.assertLess(find_distance(total, gradient), 2e-6)
    shapes = jax.tree.map(jnp.shape, (started, memory))
    self.assertEqual(*shapes)  # it does not grow

  def test_plays_settle_to_the_moments_of_a_stream(self):
    function, params = CELLS['GRU of one layer']()
    spiking = ssnn_jax.spike(function, bptt=False)
    find_loss = lambda outputs, t: loss_of_moment(outputs, TARGETS[t][:1])
    moments = ssnn_jax.spiking.play_stream(
      spiking, params, SIGNALS[:1, :2], find_loss, make_key(0)
    )
    start, step = ssnn_jax.stream(spiking, params, loss_of_moment)
    memory, step = start(SIGNALS[:1, 0]), jax.jit(step)
    for t, played in enumerate(moments):
      memory, moment = step(memory, params, SIGNALS[:1, t], TARGETS[t][:1])
      np.testing.assert_array_equal(played.outputs, moment.outputs)
      self.assertLess(find_distance(played.update, moment.update), 1e-6)
      sent = [own.value for own in played.neurons]
      for ours, theirs in zip(sent, memory.sent, strict=True):
        np.testing.assert_array_equal(ours, theirs[0])
      back = [own.error for own in played.neurons]
      for ours, theirs in zip(back, memory.returned, strict=True):
        np.testing.assert_allclose(ours, theirs[0], atol=1e-6)

  def test_what_does_not_change_is_not_sent_again(self):
    function = lambda weights, x: scan(
      lambda h, now: (h + now @ weights, h + now @ weights),
      jnp.zeros((1, 2)), x,
    )  # fmt: skip
    x, weights = jnp.array([[[0.5, 0.0]] * 2 + [[0.75, 1.0]]]), jnp.eye(2)
    spiking = ssnn_jax.spike(function, bptt=False)
    start, step = ssnn_jax.stream(spiking, weights, jnp.sum)
    memory, spikes = start(x[:, 0]), []
    for t in range(3):
      memory, moment = step(memory, weights, x[:, t])
      spikes.append(int(moment.spikes))
    self.assertEqual(spikes, [1, 0, 2])  # 1/2; nothing; 1/4 and 1


class LocalTest(parameterized.TestCase):
  def test_diagonal_recurrences_have_the_gradient_through_time(self):
    rng = np.random.default_rng(0)
    integers = lambda *shape: jnp.float32(rng.integers(-4, 5, shape))
    x, target = integers(2, 6, 4), integers(2, 6, 3)
    params = [jnp.array([0.5, 0.25, 1.0]), integers(4, 3)]

    def function(params, x):
      def step(h, now):
        h = params[0][None] * h + now @ params[1]
        return h, h

      return scan(step, jnp.zeros((2, 3)), x)

    loss = lambda function, params: jnp.sum(function(params, x) * target)
    exact = jax.grad(functools.partial(loss, function))(params)
    local = jax.grad(functools.partial(loss, transform.local(function)))(params)
    for ours, theirs in zip(local, exact):
      np.testing.assert_array_equal(ours, theirs)

  @parameterized.parameters(False, True)
  def test_equals_errors_and_eligibilities_written_out(self, reverse):
    # h_t = tanh(U h_(t-1) + W x_t), whose E passes no U, and errors do once.
    params, x = draw_weights((4, 5), (5, 5)), SIGNALS[0]
    weigh = draw_weights((6, 5))[0]

    def function(params, x):
      def step(h, now):
        h = jnp.tanh(now @ params[0] + h @ params[1] + 0.5 * h)
        return h, h

      last, ys = jax.lax.scan(step, jnp.zeros(5), x, reverse=reverse)
      return ys, last

    def find_loss(params, x):
      ys, last = transform.local(function)(params, x)
      return jnp.sum(ys * weigh) + jnp.sum(last)

    update, errors = jax.grad(find_loss, argnums=(0, 1))(params, x)
    w, u = map(np.float64, params)
    h, total = np.zeros(5), [np.zeros((4, 5)), np.zeros((5, 5))]
    kept, sent = [np.zeros((4, 5)), np.zeros((5, 5))], np.zeros((6, 4))
    order = range(6)[::-1] if reverse else range(6)
    for t in order:
      now = np.float64(x[t])
      after = np.tanh(now @ w + h @ u + 0.5 * h)
      slope, error = 1 - after**2, np.float64(weigh[t]) + (t == order[-1])
      error = error * slope
      arrived = u @ error + 0.5 * error
      for own, past, before in zip(total, kept, (now, h)):
        own += before[:, None] * error + past * arrived
      kept = [
        0.5 * slope * past + before[:, None] * slope
        for past, before in zip(kept, (now, h))
      ]
      sent[t], h = w @ error, after
    for ours, theirs in zip((*update, errors), (*total, sent)):
      np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)

  def test_scans_of_layers_and_rounds_are_not_in_time(self):
    weights = 0.5 * jax.random.normal(make_key(1), (3, 4, 4))

    def function(weights, x):
      layer = lambda x, own: (jnp.tanh(x @ own), None)
      x = jax.lax.scan(layer, x, weights)[0]
      return jax.lax.fori_loop(0, 3, lambda _, x: jnp.sin(x), x)

    loss = lambda function: (
      lambda weights: jnp.sum(function(weights, SIGNALS[0]) ** 2)
    )
    ours = jax.grad(loss(transform.local(function)))(weights)
    exact = jax.grad(loss(function))(weights)
    np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-6)

  def test_networks_learn_by_the_same_errors(self):
    labels, exact = jnp.array([0, 2]), []
    for make in (ssnn_jax.ann, ssnn_jax.ssnn):
      gradients = []
      for bptt in (False, True):
        model = ssnn_jax.as_function(
          Layers(nn.SimpleCell, 1), SIGNALS, bptt=bptt, digits=24,
          error_digits=24, output_digits=24,
        )  # fmt: skip
        network = make(model)
        params = network.init(make_key(0))
        learn = jax.jit(jax.grad(network.loss, has_aux=True))
        gradients.append(learn(params, make_key(1), SIGNALS, labels)[0])
      self.assertGreater(find_distance(*gradients), 0.01)
      exact += gradients
    self.assertLess(find_distance(exact[2], exact[0]), 1e-4)
    self.assertLess(find_distance(exact[3], exact[1]), 1e-4)

  def test_explains_where_errors_stop_and_what_is_stored(self):
    self.enter_context(jax.debug_key_reuse(False))  # flax draws carries of 0
    function, params = CELLS['LSTM of one layer']()
    notes = ssnn_jax.explain(function, params, SIGNALS, bptt=False).notes
    self.assertIn('dot_general passes errors of the moment alone', notes[-2])
    self.assertIn('350 eligibilities of 200 weights', notes[-1])
    mean = lambda weights, x: (x @ weights).mean(1)
    note = ssnn_jax.explain(mean, jnp.ones((4, 3)), SIGNALS, bptt=False).notes
    self.assertIn('There is no stream: moments of', note[-1])


class RefusalTest(parameterized.TestCase):
  def refuses(self, words, function, params, signals=SIGNALS, **options):
    options = {'bptt': False} | options
    spiking = ssnn_jax.spike(function, **options)
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      start, _ = ssnn_jax.stream(spiking, params, jnp.sum)
      start(signals[:, 0])

  def test_refuses_what_would_be_wrong(self):
    weights = jnp.ones((4, 5))
    cell = lambda h, now: (h + now @ weights, h)

    def convolve(kernel, x):
      def step(h, now):
        row = lambda own: jnp.convolve(own, kernel, mode='same')
        h = 0.5 * h + jax.vmap(row)(now)
        return h, h

      return scan(step, jnp.zeros((len(x), 4)), x)

    def select(weights, x):
      step = lambda h, now: (h + weights[now], h)
      return scan(step, jnp.zeros((len(x), 5)), x)

    for words, function, params in (
      ('meet outside', lambda w, x: jnp.cumsum(x @ w, axis=1), weights),
      ('meet outside', lambda w, x: (x @ w).mean(1), weights),
      (
        'runs backward',
        lambda w, x: jax.lax.scan(
          lambda h, now: (h + now @ w,) * 2,
          jnp.zeros((len(x), 5)), x.swapaxes(0, 1), reverse=True,
        )[1].swapaxes(0, 1),
        weights,
      ),
      (
        'begins with weights',
        lambda w, x: scan(cell, jnp.broadcast_to(w[:1], (len(x), 5)), x),
        weights,
      ),
      ('is shared by neurons', convolve, jnp.ones(3)),
    ):  # fmt: skip
      self.refuses(words, function, params)
    self.refuses('bptt=False', cell, weights, bptt=True)
    tokens = jnp.zeros((2, 6), int)
    self.refuses('integers select weights', select, weights, tokens)
