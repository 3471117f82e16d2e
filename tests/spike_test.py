"""Tests of functions as spiking networks, unchanged."""

import pathlib

from absl.testing import parameterized
import equinox
from flax import linen
from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import spiking
from ssnn_jax.spiking import transform
from tests.testing import unchanged

EXACT = {'digits': 8, 'error_digits': 8, 'output_digits': 8}
make_key = jax.random.key  # a new one wherever a key is used
WEIGHTS = jax.random.normal(make_key(0), (4, 4))
SIGNALS = jax.random.normal(jax.random.key(1), (3, 4))
round_digits = spiking.leading_digits


@jax.custom_vjp
def normalize_softly(v):
  """Divides by sums, with another derivative."""
  return v / jnp.sum(v, -1, keepdims=True)


@jax.custom_vjp
def sign_softly(v):
  """Returns signs, with the derivative of a slope."""
  return jnp.sign(v)


for own in (normalize_softly, sign_softly):
  own.defvjp(
    lambda v, own=own: (own(v), v), lambda v, error: (error / (1 + v**2),)
  )


def find_distance(gradient, other):
  """Returns the length of a difference, over that of the other."""
  first, second = (
    jax.flatten_util.ravel_pytree(own)[0] for own in (gradient, other)
  )
  return float(jnp.linalg.norm(first - second) / jnp.linalg.norm(second))


def find_gradients(function, params, signals, loss, **choices):
  """Returns the gradient of spikes and of the function itself."""
  spiking_function = ssnn_jax.spike(function, **choices)
  return [
    jax.jit(jax.grad(lambda params, own=own: loss(own(params, signals))))(
      params
    )
    for own in (spiking_function, function)
  ]


class Watcher(transform.Interpreter):
  """Notes the neurons that send, and their lines."""

  def send(self, potential, cell):
    """Notes and sends."""
    self.cells.append((cell.kind, potential.shape, cell.where))
    return super().send(potential, cell)


def find_neurons(function, params, signals):
  """Returns kinds, shapes and lines of the layers of neurons."""
  watcher = Watcher(transform.Codes())
  watcher.cells = []
  traced = transform.trace(function, params, signals)
  watcher.run(traced, *traced.arrays)
  return watcher.cells


class SpikeTest(parameterized.TestCase):
  """The network against its formulas, and against the function itself."""

  def test_neurons_send_digits_both_ways(self):
    def function(weights, x):
      return jnp.tanh(x @ weights) @ weights

    spikes, _ = find_gradients(function, WEIGHTS, SIGNALS, jnp.sum)
    x = round_digits(SIGNALS, 3)
    v = x @ WEIGHTS
    sent = round_digits(jnp.tanh(v), 3)
    error = round_digits(jnp.ones_like(v), 3)
    back = round_digits((error @ WEIGHTS.T) * jax.grad(
      lambda v: jnp.sum(jnp.tanh(v)))(v), 2)  # fmt: skip
    np.testing.assert_allclose(
      spikes, sent.T @ error + x.T @ back, rtol=1e-6, atol=1e-6
    )

  def test_steps_are_those_of_functions_that_pass_zero_with_a_slope(self):
    v = jnp.linspace(-2.0, 2.0, 65)  # halves of steps too
    is_even = jnp.arange(65) % 2 == 0
    for function, has_steps in (
      (jax.nn.relu, True), (jax.nn.gelu, True), (jnp.tanh, True),
      (lambda v: jnp.where(v > 0, v, 0.1 * v), True),
      (jnp.exp, False), (jax.nn.sigmoid, False),
      (lambda v: jnp.abs(v) ** 3, False),
      (lambda v: jax.nn.relu(v - 1), False),
      (lambda v: jnp.where(is_even, jax.nn.relu(v), jnp.exp(v)), is_even),
    ):  # fmt: skip
      spiking_function = ssnn_jax.spike(
        lambda _, v, own=function: own(v), num_steps=8, digits=12
      )
      sent, value = spiking_function((), v), function(round_digits(v, 12))
      steps = jnp.floor(8 * value + 0.5) / 8
      expected = jnp.where(has_steps, steps, round_digits(value, 12))
      np.testing.assert_array_equal(sent, expected)

  def test_chain_is_one_neuron(self):
    chains = {
      'gelu': lambda v: 0.5 * v * (1 + jnp.tanh(0.8 * (v + 0.04 * v**3))),
      'mish': jax.nn.mish,
      'softplus': jax.nn.softplus,
      'where': lambda v: jnp.where(v > 0, v, jnp.expm1(v)),
      'clip': lambda v: jnp.clip(v, -0.5, 0.5),
      'moved': lambda v: jax.nn.silu(v.reshape(2, 2, 3)).reshape(3, 4),
    }
    for name, chain in chains.items():
      with self.subTest(name):
        cells = find_neurons(
          lambda w, x, own=chain: own(x @ w), WEIGHTS, SIGNALS
        )
        self.assertEqual([cell[0] for cell in cells], ['inputs', 'neurons'])

  @parameterized.named_parameters(
    ('weights after weights', 'relay', lambda w, x: x @ w @ w),
    ('factors', 'relay relay', lambda w, x: (x @ w) * (x @ w.T)),
    ('square', 'relay relay', lambda w, x: (x @ w) ** 2 @ w),
    ('winner', 'neurons relay', lambda w, x: (
      jnp.maximum(x @ w, x @ w.T) @ w)),
    ('winning input', 'neurons', lambda w, x: (
      jnp.maximum(x, jnp.roll(x, 1, 0)) @ w)),
    ('heard, then asked', 'neurons', lambda w, x: (
      jnp.roll(jnp.tanh(x @ w), 1, 0) @ w)),
    ('asked twice', 'neurons', lambda w, x: (
      lambda y: y @ w + y @ w.T)(jnp.tanh(x @ w))),
    ('shortcut', 'relay neurons', lambda w, x: (
      lambda v: (v + jnp.sin(v), v @ w))(x @ w)),
    ('two functions', 'neurons', lambda w, x: (
      lambda v: jnp.tanh(v) + jnp.sin(v))(x @ w)),
    ('softmax', 'neurons neurons', lambda w, x: jax.nn.softmax(x @ w)),
    ('quotient', 'neurons', lambda w, x: (
      lambda v: v / (1 + jnp.exp(-v)))(x @ w)),
    ('inverse', 'neurons', lambda w, x: 1 / (x @ w)),
    ('bits', 'bits', lambda w, x: jnp.where(x @ w > x, x, -x)),
    # Of a scan the body counts once.
    ('scan hears a constant', 'relay neurons', lambda w, x: (
      lambda v: jax.lax.scan(
        lambda h, u: (jnp.tanh(h @ w + v @ w), None), x, None, 3)[0])(x @ w)),
    ('scan carries potentials', 'relay', lambda w, x: (
      jax.lax.scan(lambda h, _: (h @ w, None), x, None, 3)[0])),
    ('scan begins with no signal', 'neurons', lambda w, x: (
      jax.lax.scan(lambda h, u: (jnp.tanh(h) @ w + u, None), w[0], x)[0])),
  )  # fmt: skip
  def test_layers_that_send(self, kinds, function):
    cells = find_neurons(function, WEIGHTS, SIGNALS)
    self.assertEqual([cell[0] for cell in cells], ['inputs', *kinds.split()])

  def test_embedded_tokens_are_sent_before_weights(self):
    tokens = jnp.array([0, 3])
    cells = find_neurons(lambda w, i: w[i] @ w, WEIGHTS, tokens)
    self.assertEqual([cell[:2] for cell in cells], [('relay', (2, 4))])

  def test_relays_send_digits_even_beside_steps(self):
    spiking_function = ssnn_jax.spike(lambda w, x: x @ w @ w, num_steps=4)
    sent = round_digits(round_digits(SIGNALS, 3) @ WEIGHTS, 3)
    np.testing.assert_allclose(
      spiking_function(WEIGHTS, SIGNALS), sent @ WEIGHTS, rtol=1e-5
    )

  @parameterized.parameters((jnp.float32, 30), (jnp.float16, 15))
  def test_poles_send_the_limit_and_no_error(self, dtype, bits):
    weights = jnp.array([0.0, 2.0**-bits, 2.0**-7, -0.5], dtype)
    function = ssnn_jax.spike(lambda w, x: 1 / (w * x))
    x = jnp.ones_like(weights)
    sent, pull = jax.vjp(lambda w: function(w, x), weights)
    np.testing.assert_array_equal(
      sent, jnp.array([2.0**bits, 2.0**bits, 2.0**7, -2.0], dtype)
    )
    np.testing.assert_array_equal(
      *pull(x), jnp.array([0.0, 0.0, -(2.0**14), -4.0], dtype)
    )

  def test_derivative_of_ones_own_is_that_of_a_neuron(self):
    @jax.custom_jvp
    def straight(v):
      return jnp.sign(v)

    straight.defjvps(lambda tangent, _, v: 3 * tangent)
    gradient, _ = find_gradients(
      lambda w, x: straight(x @ w), WEIGHTS, SIGNALS, jnp.sum
    )
    expected = round_digits(SIGNALS, 3).T @ jnp.full((3, 4), 3.0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)

  def test_neuron_before_a_broadcast_is_one_for_all(self):
    def normalize(weights, x):
      v = x @ weights
      mean = jnp.mean(v, -1, keepdims=True)
      variance = jnp.mean(v**2, -1, keepdims=True) - mean**2
      return v * jax.lax.rsqrt(jnp.maximum(0, variance) + 1e-3)

    cells = find_neurons(normalize, WEIGHTS, SIGNALS)
    self.assertEqual([c[1] for c in cells if c[0] == 'neurons'], [(3,)])

  def test_fire_is_a_neuron_of_its_own_code(self):
    def function(weights, x):
      return spiking.fire(x @ weights, 16, ceiling=4.0, digits=5) @ weights

    x = round_digits(SIGNALS, 3)
    own = jax.grad(lambda w: jnp.sum(function(w, x)))(WEIGHTS)
    gradient = jax.grad(lambda w: jnp.sum(ssnn_jax.spike(function)(w, x)))
    np.testing.assert_array_equal(gradient(WEIGHTS), own)

  def test_small_or_large_losses_change_nothing_else(self):
    model = unchanged.MLP()
    x = jax.random.uniform(make_key(0), (4, 4, 4, 1))
    params = model.init(make_key(0), x)
    first, second = (
      find_gradients(
        model.apply, params, x, lambda v, own=scale: own * jnp.sum(v**2)
      )[0]
      for scale in (1.0, 2.0**-20)
    )
    jax.tree.map(
      np.testing.assert_array_equal, first,
      jax.tree.map(lambda own: own * 2.0**20, second),
    )  # fmt: skip

  @parameterized.parameters(None, 8)
  def test_scales_of_inputs_and_of_their_weights_cancel(self, num_steps):
    # Digits have the scale of what they are digits of: powers of two between
    # inputs and weights change no bit. Of digits, layers of ReLU too.
    model = unchanged.MLP()
    x = jax.random.uniform(make_key(0), (4, 4, 4, 1))
    params = jax.tree.map(
      lambda own: own + 0.1,
      model.init(make_key(0), x),  # biases are not 0
    )
    function = ssnn_jax.spike(model.apply, num_steps=num_steps)

    @jax.jit
    def learn(params, x):
      outputs, pull = jax.vjp(lambda own: function(own, x), params)
      return outputs, pull(jnp.sin(outputs))[0]

    def scale(params, first, second):
      return jax.tree.map_with_path(
        lambda path, own: own * (
          first if 'Dense_0' in str(path) and 'kernel' in str(path) else
          second if 'Dense_0' in str(path) or 'Dense_1' in str(path)
          and 'bias' in str(path) else
          1 / second if 'Dense_2' in str(path) and 'kernel' in str(path) else
          1.0),
        params,
      )  # fmt: skip

    outputs, gradient = learn(params, x)
    for power in (2.0**-7, 2.0**7):
      for inner in (1.0, 4.0) if num_steps is None else (1.0,):
        found, own = learn(scale(params, inner / power, inner), x * power)
        np.testing.assert_array_equal(found, outputs)
        jax.tree.map(
          np.testing.assert_array_equal, own,
          scale(gradient, power / inner, 1 / inner),
        )  # fmt: skip

  @parameterized.named_parameters(
    ('MLP', unchanged.MLP), ('GRU', unchanged.GRU),
    ('LayerNorm', lambda: linen.Sequential([
      linen.Dense(8), linen.LayerNorm(), linen.gelu, linen.Dense(10)])),
  )  # fmt: skip
  def test_small_or_large_signals_and_weights_are_near(self, model):
    # What n digits lose is relative, 1 / 171 with 4 and 1 / 43,691 with 8, of
    # whatever signals and weights: 4 digits more lose 2^8 times less.
    model, x = model(), jax.random.uniform(make_key(0), (2, 8, 8, 1))
    params = model.init(make_key(0), x)
    leaves, structure = jax.tree.flatten(params)
    small = jax.tree.unflatten(structure, [
      0.02 * jax.random.normal(key, own.shape)
      for key, own in zip(jax.random.split(make_key(1), len(leaves)), leaves)
    ])  # fmt: skip
    loss = lambda outputs: jnp.sum(jnp.sin(outputs))
    ours, exact = (
      jax.jit(jax.grad(lambda params, x, own=own: loss(own(params, x))))
      for own in (ssnn_jax.spike(model.apply, **EXACT), model.apply)
    )
    for own in (params, small):
      for scale in (0.01, 100.0):
        distance = find_distance(ours(own, scale * x), exact(own, scale * x))
        self.assertLess(distance, 1e-3)

  def test_bfloat16_stays_and_is_near(self):
    # It rounds by 2^-9, in values and errors of three layers.
    model, x = unchanged.MLP(), jax.random.uniform(make_key(0), (2, 8, 8, 1))
    params = model.init(make_key(0), x)
    short, short_x = jax.tree.map(
      lambda own: own.astype(jnp.bfloat16), (params, x)
    )
    loss = lambda outputs: jnp.sum(jnp.sin(outputs))
    own, _ = find_gradients(model.apply, short, short_x, loss, **EXACT)
    _, exact = find_gradients(model.apply, params, x, loss)
    outputs = ssnn_jax.spike(model.apply)(short, short_x)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves((own, outputs))}
    self.assertEqual(dtypes, {jnp.dtype(jnp.bfloat16)})
    own = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), own)
    self.assertLess(find_distance(own, exact), 6 * 2.0**-9)

  def test_samples_by_vmap_are_those_of_a_batch(self):
    def function(weights, x):
      return jax.nn.softmax(x @ weights) @ weights

    spiking_function = ssnn_jax.spike(function)
    alone = jax.vmap(spiking_function, (None, 0))(WEIGHTS, SIGNALS)
    together = spiking_function(WEIGHTS, SIGNALS)
    np.testing.assert_allclose(alone, together, rtol=1e-5)

  @parameterized.named_parameters(
    ('MLP', unchanged.MLP), ('ResNet', unchanged.ResNet),
    ('Mixer', unchanged.Mixer), ('ViT', unchanged.ViT),
    ('GRU', unchanged.GRU), ('LSTM', unchanged.LSTM), ('GPT', unchanged.GPT),
  )  # fmt: skip
  def test_unchanged_model_learns_by_its_gradient(self, model):
    model, labels = model(), jnp.arange(2)
    x = jax.random.uniform(make_key(0), (2, 8, 8, 1))
    if isinstance(model, unchanged.GPT):
      x = jax.random.randint(make_key(0), (2, 8), 0, 20)
      labels = jnp.roll(x, -1, 1)
    params = model.init(make_key(0), x)

    def loss(logits):
      return jnp.mean(
        optax.softmax_cross_entropy_with_integer_labels(logits, labels)
      )

    distance = find_distance(
      *find_gradients(model.apply, params, x, loss, **EXACT)
    )
    self.assertLess(distance, 1e-3)

  def test_nnx_and_equinox_modules_are_parameters(self):
    x = jax.random.uniform(make_key(0), (3, 4))
    first = nnx.Sequential(
      nnx.Linear(4, 8, rngs=nnx.Rngs(0)), nnx.LayerNorm(8, rngs=nnx.Rngs(0)),
      nnx.gelu, nnx.Linear(8, 2, rngs=nnx.Rngs(1)),
    )  # fmt: skip
    second = equinox.nn.MLP(4, 2, 8, 2, key=make_key(0))
    graph, state = nnx.split(first)
    for function, params in (
      (lambda state, x: nnx.merge(graph, state)(x), state),
      (lambda model, x: jax.vmap(model)(x), second),
    ):
      arrays, static = equinox.partition(params, equinox.is_inexact_array)

      def call(arrays, x, own=function, static=static):
        return own(equinox.combine(arrays, static), x)

      distance = find_distance(
        *find_gradients(call, arrays, x, lambda v: jnp.sum(v**2), **EXACT)
      )
      self.assertLess(distance, 1e-3)

  @parameterized.named_parameters(
    ('maximum', lambda w, x: jnp.maximum(x @ w, jnp.roll(x @ w, 1, 0))),
    ('quotient', lambda w, x: x / jnp.linalg.norm(x @ w, axis=-1)[:, None]),
    ('power', lambda w, x: jnp.abs(x @ w) ** jax.nn.sigmoid(x)),
    ('condition', lambda w, x: jnp.where(x @ w > 0, x, jnp.roll(x, 1, 0)) @ w),
    ('logsumexp', lambda w, x: jax.nn.logsumexp(x @ w, -1)),
    ('deviation', lambda w, x: (x @ w) / jnp.std(x @ w, -1, keepdims=True)),
    ('three factors', lambda w, x: jnp.einsum('bi,bj,ij->b', x, x @ w, w)),
    ('least', lambda w, x: jnp.min(x @ w, -1)),
    ('minimum', lambda w, x: jnp.minimum(x @ w, jnp.roll(x @ w, 1, 0))),
    ('clamp', lambda w, x: jax.lax.clamp(-w[:3] ** 2, x @ w, w[:3] ** 2)),
    ('reverse scan', lambda w, x: jax.lax.scan(
      lambda h, u: (jnp.tanh(h @ w + u), h), jnp.zeros(4), x, reverse=True)),
    ('branches', lambda w, x: jax.lax.cond(
      w[0, 0] > 0, jnp.tanh, jnp.sin, x @ w)),
    ('scan', lambda w, x: jax.lax.scan(
      lambda h, u: (jnp.tanh(h @ w + u), h), jnp.zeros(4), x)),
    ('learned start', lambda w, x: jax.lax.scan(
      lambda h, u: (jnp.tanh(h @ w) * u, None), w[0], x)[0]),
    ('rounds', lambda w, x: jax.lax.fori_loop(
      0, 3, lambda _, h: jnp.tanh(h @ w), x)),
    ('checkpoint', lambda w, x: jax.checkpoint(
      lambda v: jnp.tanh(v @ w) @ w)(x)),
    ('every other', lambda w, x: jnp.concatenate([x @ w, x], -1)[:, ::2]),
    ('convolution', lambda w, x: jnp.convolve(x[0], w[0])),
  )  # fmt: skip
  def test_operations(self, function):
    def loss(outputs):
      return sum(jnp.sum(jnp.sin(own)) for own in jax.tree.leaves(outputs))

    own, exact = find_gradients(
      function, WEIGHTS, SIGNALS, loss, digits=12, error_digits=12,
      output_digits=12,
    )  # fmt: skip
    np.testing.assert_allclose(own, exact, rtol=1e-4, atol=1e-5)

  def test_derivative_of_ones_own_is_kept(self):
    for function in (
      lambda w, x: sign_softly(x @ w) @ w,
      lambda w, x: x @ normalize_softly(w),
      lambda w, x: spiking.fire((x @ w).reshape(12), 8, digits=12),
    ):
      own, exact = find_gradients(
        function, WEIGHTS, round_digits(SIGNALS, 12),
        lambda v: jnp.sum(jnp.sin(v)), digits=12, error_digits=12,
        output_digits=12,
      )  # fmt: skip
      np.testing.assert_allclose(own, exact, rtol=1e-4, atol=1e-5)

  @parameterized.named_parameters(
    ('while', lambda w, x: jax.lax.while_loop(
      lambda own: jnp.sum(own) < 9, lambda own: own + 1, x @ w)),
    ('sort', lambda w, x: jnp.sort(x @ w)),
    ('top_k', lambda w, x: jax.lax.top_k(x @ w, 2)[0]),
    ('argmax', lambda w, x: w[jnp.argmax(x @ w, -1)]),
    ('lu', lambda w, x: jnp.linalg.inv((x @ w).T @ (x @ w))),
    ('cholesky', lambda w, x: jnp.linalg.cholesky(x.T @ x + jnp.eye(4))),
    ('reduce_prod', lambda w, x: jnp.prod(x @ w)),
    ('fft', lambda w, x: jnp.fft.fft(x @ w).real),
    ('gather', lambda w, x: w[(x @ w).astype(int)]),
    ('atan2', lambda w, x: jnp.arctan2(x @ w, x)),
    ('cond', lambda w, x: jax.lax.cond(
      jnp.sum(x @ w) > 0, jnp.sin, jnp.cos, x)),
    ('pure_callback', lambda w, x: jax.pure_callback(np.sin, x, x @ w)),
    ('custom_vjp_call', lambda w, x: normalize_softly(x @ w)),
  )  # fmt: skip
  def test_refusals_have_the_line(self, function):
    name = self._testMethodName.rsplit('_line', 1)[-1].strip('_')
    with self.assertRaises(ssnn_jax.UserError) as caught:
      ssnn_jax.spike(function)(WEIGHTS, SIGNALS)
    path = pathlib.Path(__file__)
    self.assertRegex(str(caught.exception), rf'^{path}:\d+: {name}')

  def test_lines_are_those_of_the_model(self):
    model = unchanged.GRU()
    x = jax.random.uniform(make_key(0), (2, 8, 8, 1))
    cells = find_neurons(model.apply, model.init(make_key(0), x), x)
    lines = [where for kind, _, where in cells if kind != 'inputs']
    self.assertTrue(all('unchanged.py:' in where for where in lines), lines)

  def test_key_of_dropout_is_a_constant(self):
    model = linen.Sequential([linen.Dense(8), linen.relu])
    drop = linen.Dropout(0.5, deterministic=False)
    params = model.init(make_key(0), SIGNALS)

    def function(params, x, key):
      return drop.apply({}, model.apply(params, x), rngs={'dropout': key})

    outputs = ssnn_jax.spike(function)(params, SIGNALS, make_key(0))
    exact = function(params, SIGNALS, make_key(0))
    np.testing.assert_array_equal(outputs == 0, exact == 0)

  def test_rates_of_fire_are_the_nearest_steps_halves_up(self):
    v = jnp.array([-0.2, 0.1, 0.124, 0.125, 0.3, 0.374, 0.375, 9.0])
    expected = [0, 0, 0, 0.25, 0.25, 0.25, 0.5, 2]
    rates = spiking.fire(v, 4, ceiling=2.0)
    np.testing.assert_array_equal(rates, expected)

  def test_tokens_are_heard_by_neurons_below_jit_as_well(self):
    model, tokens = unchanged.GPT(), jnp.array([[1, 5, 2], [7, 7, 0]])
    params = model.init(make_key(0), tokens)
    bare, below = (
      ssnn_jax.spike(own)(params, tokens)
      for own in (model.apply, jax.jit(model.apply))
    )
    np.testing.assert_array_equal(below, bare)
    self.assertTrue(np.any(bare != model.apply(params, tokens)))

  def test_losses_of_sequences_and_of_pairs(self):
    def function(weights, x):
      return jnp.tanh(x @ weights)

    def alignment(outputs):  # CTC of one label, in an alphabet of four
      nothing = jnp.zeros((1, len(SIGNALS)))
      label = jnp.array([[2]])
      return optax.ctc_loss(outputs[None], nothing, label, label * 0).sum()

    def contrast(outputs):
      cosines = outputs @ outputs.T
      return jax.nn.logsumexp(cosines, axis=1).sum() - jnp.trace(cosines)

    for loss in (alignment, contrast):
      gradient, exact = find_gradients(
        function, WEIGHTS, SIGNALS, loss, **EXACT
      )
      self.assertGreater(jnp.abs(exact).max(), 0.01)
      self.assertLess(find_distance(gradient, exact), 1e-3)


class PlayTest(parameterized.TestCase):
  """Events in any order settle to what `spike` computes."""

  @parameterized.named_parameters(
    ('MLP', unchanged.MLP, None), ('MLP by steps', unchanged.MLP, 8),
    ('GRU', unchanged.GRU, None), ('ViT', unchanged.ViT, None),
  )  # fmt: skip
  def test_update_is_the_gradient(self, model, num_steps):
    model = model()
    x = jax.random.uniform(make_key(0), (2, 8, 8, 1))
    params = model.init(make_key(0), x)
    spiking_function = ssnn_jax.spike(model.apply, num_steps=num_steps)

    def loss(logits):
      return jnp.mean(
        optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(2))
      )

    def find_loss(params):
      outputs = spiking_function(params, x)
      return loss(outputs), outputs

    learn = jax.jit(jax.grad(find_loss, has_aux=True))
    gradient, outputs = learn(params)
    played = spiking.play(spiking_function, params, x, loss, make_key(3))
    # exp and GELU differ in the last bit between programs: next to the middle
    # of two digits another one is sent.
    self.assertLess(find_distance(played.update, gradient), 1e-3)
    np.testing.assert_allclose(played.outputs, outputs, rtol=1e-3, atol=1e-4)
    self.assertGreater(min(own.spikes for own in played.neurons), 0)

  def test_bits_select_while_they_settle(self):
    def function(weights, x):
      v = x @ weights
      return spiking.fire(v, 16) + jnp.where(v > 0.5, v, jnp.roll(v, 1, 0))

    spiking_function = ssnn_jax.spike(function)
    for seed, coin, delay in ((0, 0.2, 0), (1, 0.5, 5), (2, 1.0, 2)):
      played = spiking.play(
        spiking_function, WEIGHTS, SIGNALS, lambda v: jnp.sum(v**2),
        make_key(seed), coin=coin, max_delay=delay,
      )  # fmt: skip
      gradient = jax.grad(
        lambda own: jnp.sum(spiking_function(own, SIGNALS) ** 2)
      )(WEIGHTS)
      np.testing.assert_allclose(played.update, gradient, rtol=1e-5)

  @parameterized.parameters(0, 3)
  def test_spikes_arrive_after_their_delays(self, delay):
    # An input sends in tick 1, a neuron when it has heard it, an output in tick
    # 1 too; the error of the neuron goes back when it has heard both, and is
    # answered by the input. What is said is heard after 1 to delay + 1 ticks,
    # and of 64 paths one is the slowest.
    spiking_function = ssnn_jax.spike(lambda w, x: jax.nn.relu(x * w) * w)
    play = lambda own, key, loss=jnp.sum: spiking.play(
      spiking_function, own, own, loss, key, coin=1.0, max_delay=delay
    )
    played = play(jnp.ones(64), make_key(0))
    self.assertEqual(played.ticks, 3 + 2 * delay + delay + 1)
    self.assertEqual([own.spikes for own in played.neurons], [128, 128])
    played = play(jnp.ones(64), make_key(0), lambda v: 0.0 * jnp.sum(v))
    self.assertEqual(played.ticks, 2 + delay + delay + 1)  # without errors
    # A single path may be as slow as any, or quicker.
    singles = [play(jnp.ones(1), make_key(own)) for own in range(5)]
    for own in singles:
      np.testing.assert_array_equal(own.update, [2.0])
      self.assertBetween(own.ticks, 4 + delay, 4 + 3 * delay)
    self.assertEqual(len({own.ticks for own in singles}) > 1, delay > 0)

  def test_silence_waits_for_what_is_on_its_way(self):
    # Of key 4 the output has the longest delay: when the input has been silent
    # for as long, the error is still to come.
    spiking_function = ssnn_jax.spike(lambda w, x: x * w)
    ticks = []
    for seed in range(5):
      played = spiking.play(
        spiking_function, jnp.ones(1), jnp.ones(1), jnp.sum, make_key(seed),
        coin=1.0,
      )  # fmt: skip
      ticks.append(played.ticks)
      np.testing.assert_array_equal(played.update, [1.0])
    self.assertEqual((min(ticks), max(ticks)), (6, 9))

  def test_spike_is_a_power_of_two(self):
    # 1/2 + 1/4 - 1/16, 1/2 + 1/8, 1 - 1/4 and 1; an error of 1 each.
    x = jnp.array([0.6875, 0.625, 0.75, 1.0])
    spiking_function = ssnn_jax.spike(lambda w, x: x * w)
    play = lambda **own: spiking.play(
      spiking_function, jnp.ones(4), x, jnp.sum, make_key(0), max_delay=0, **own
    )
    played = play(coin=1.0)
    self.assertEqual(played.neurons[0].spikes, 3 + 2 + 2 + 1 + 4)
    self.assertEqual(played.ticks, 3 + 1)
    np.testing.assert_array_equal(played.neurons[0].value, x)
    # An order is random, and that of a key; nothing acts by a coin of 0.
    self.assertGreater(play(coin=0.5).ticks, 4)
    self.assertEqual(play(coin=0.5).ticks, play(coin=0.5).ticks)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'max_ticks is 9'):
      play(coin=0.0, max_ticks=9)

  @parameterized.named_parameters(
    ('quotient', lambda w, x: jnp.sin(x @ w) / (x @ w)),
    ('no number', lambda w, x: jax.nn.relu(jnp.sinh(x @ w) / jnp.sinh(x @ w))),
    ('reverse scan', lambda w, x: jax.lax.scan(
      lambda h, u: (jnp.tanh(h @ w + u), h), jnp.zeros(4), x, reverse=True)[1]),
  )  # fmt: skip
  def test_poles_and_scans_settle(self, function):
    spiking_function = ssnn_jax.spike(function)
    loss = lambda v: jnp.sum(v**2 / 3)
    played = spiking.play(spiking_function, WEIGHTS, SIGNALS, loss, make_key(0))
    gradient = jax.grad(lambda own: loss(spiking_function(own, SIGNALS)))
    np.testing.assert_allclose(
      played.update, gradient(WEIGHTS), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
      played.outputs, spiking_function(WEIGHTS, SIGNALS), rtol=1e-5, atol=1e-6
    )

  def test_refuses_to_end_before_silence(self):
    spiking_function = ssnn_jax.spike(lambda w, x: jnp.tanh(x @ w))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'max_ticks is 2'):
      spiking.play(
        spiking_function, WEIGHTS, SIGNALS, jnp.sum, make_key(0), max_ticks=2
      )


class TrainingTest(parameterized.TestCase):
  """Modules and functions, unchanged, in the training of the library."""

  def test_module_is_compared_with_itself(self):
    digits = ssnn_jax.datasets.load('digits')
    module = linen.Sequential([
      lambda x: x.reshape(len(x), -1), linen.Dense(32), linen.gelu,
      linen.LayerNorm(), linen.Dense(10),
    ])  # fmt: skip
    found = ssnn_jax.training.compare(
      module, digits, 2, num_steps=(None, 8), num_epochs=3,
      optimizer=0.1, progress=False,
    )  # fmt: skip
    for own in found.values():
      self.assertGreater(own.ann.mean(), 0.9)
      # Binomial noise of 360 test images at .95 is .011.
      self.assertLess(abs(own.ssnn.mean() - own.ann.mean()), 0.035)
    self.assertIn('digits', repr(found))

  def test_loss_of_ones_own_is_learned(self):
    def loss(outputs, labels):
      return jnp.mean((outputs - jax.nn.one_hot(labels, 4)) ** 2)

    function = ssnn_jax.as_function(
      (lambda key: jax.random.normal(key, (4, 4)), lambda w, x: x @ w),
      SIGNALS, loss=loss, digits=12, error_digits=12, output_digits=12,
    )  # fmt: skip
    labels = jnp.array([0, 1, 3])
    gradients = [
      jax.grad(network.loss, has_aux=True)(
        WEIGHTS, make_key(0), SIGNALS, labels
      )[0]
      for network in (ssnn_jax.ssnn(function), ssnn_jax.ann(function))
    ]
    expected = jax.grad(lambda w: loss(SIGNALS @ w, labels))(WEIGHTS)
    np.testing.assert_allclose(gradients[1], expected, rtol=1e-6)
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-3, atol=1e-5)

  def test_refuses_what_is_no_module(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'module is of type int'):
      ssnn_jax.as_function(3, SIGNALS)
