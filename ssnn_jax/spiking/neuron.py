"""Backpropagation by spikes that can be taken back, as plain JAX functions.

A bipolar neuron integrates and fires in both directions at once. A spike has a
sign and an exponent: it is worth a power of two of counts, and a count is worth
1 / N of a rate. A neuron stores four numbers: the potential v and the error A
that it has received, and the rate X and the error E that it has sent. In each
tick it sends the spike that brings what it has sent nearer to what it has
received asks for, so that an early, wrong spike is taken back::

  forward   X* = floor(N clip(v, a, c) + 1/2) / N
  backward  E* = the two leading signed digits of A if a < v < c, otherwise 0
  send      the power of two nearest to N (X* - X), and to E* - E, until equal
  synapse   collects s_i E_j + X_i e_j as spikes s_i and e_j arrive

with N steps of the staircase X*, the ceiling c and the floor a. When all spikes
have arrived the network is silent, in whatever order and however late they
came, and then, of layer l with weights W_l and biases b_l::

  v_l = W_l X_(l-1) + b_l                X_l = X*(v_l)
  A_l = W_(l+1)^T E_(l+1)                E_l = E*(A_l, v_l)
  dW_l = X_(l-1) E_l^T                   of the output E = winners / n - target

(docs/method.md has the proof, `reference` and `play` the ticks). These are
the matrix products of backpropagation, so that the settled network is a
function of JAX: `fire` is the activation function of a layer of neurons, and
`jax.grad` is what the synapses learn in real time. The digits of an error have
its scale, so that nothing is tuned to a loss, a batch or a depth.

`jax.grad` is exactly the update of spikes for models of multilinear maps
between `encode`, `fire` and `cross_entropy`: dense and convolutional layers,
average pooling, residual sums, weights that are used several times, and
products of the rates of different layers, as of gates and attention. Batch or
layer normalization, maximum pooling and other activation functions are no
synapses: they run, but their signals are not spikes.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
from jax.ad_checkpoint import checkpoint_name
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import checks
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role

INPUT_STEPS = 32  # of inputs, by default: finer than those of short codes
NUM_WINNERS, MOST_WINNERS = 64, 2**20  # of a sample: by default, and at most


def encode(
  key: jax.Array,
  images: jax.Array,
  num_steps: int = INPUT_STEPS,
  sampler: str | trains.Sampler = 'regular',
  *,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Encodes images as rates of inputs, multiples of 1 / N.

  Args:
    key: PRNG key of the presentation; 'regular' rates need none.
    images: `[B, ...]` as for `rate_encode`: floats are rates, and integers grey
      values that are divided by 255, whatever the largest one is. Inside
      `jax.jit` wrong values are NaN.
    num_steps: N, steps of a rate; inputs may have more than the neurons.
    sampler: 'regular' rates are rounded to the nearest step, without a random
      number; of 'sobol' or 'bernoulli' trains, or those of a `trains.Sampler`,
      the spikes of N ticks are counted.
    positions: `[B]` positions of the images in the global batch, of a shard;
      None is 0 to B - 1.

  Returns:
    float32 rates in the shape of the images.

  Example:
    >>> from ssnn_jax import spiking
    >>> images = jnp.array([[0.0, 0.2, 0.5, 1.0]])
    >>> spiking.encode(jax.random.key(0), images, num_steps=4)
    Array([[0.  , 0.25, 0.5 , 1.  ]], dtype=float32)
  """
  _check_steps(num_steps)
  rates = trains.rate_encode(images)
  rates = encode_rates(key, rates, num_steps, sampler, positions=positions)
  return rates.reshape(images.shape)


def encode_rates(
  key: jax.Array,
  rates: jax.Array,
  num_steps: int,
  sampler: str | trains.Sampler = 'regular',
  *,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Encodes `[B, I]` float32 rates as multiples of 1 / N, as `encode`."""
  if sampler == 'regular':
    return jnp.floor(num_steps * rates + 0.5) / num_steps
  words = draw_trains(key, rates, num_steps, sampler, positions=positions)
  return trains.count(words).astype(jnp.float32) / num_steps


def draw_trains(
  key: jax.Array,
  rates: jax.Array,
  num_steps: int,
  sampler: str | trains.Sampler,
  *,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Draws the input spikes that `encode` counts, from `[B, I]` rates.

  Returns `[B, K, I]` uint32 words of 32 ticks, those from N on without spikes.
  """
  if isinstance(sampler, str):
    if sampler not in trains.SAMPLERS:
      names = ', '.join(trains.SAMPLERS)
      raise types.UserError(f'sampler is {sampler}; expected one of {names}.')
    sampler = trains.SAMPLERS[sampler]
  if key is None:
    raise types.UserError('key is None; drawn trains need a key of JAX.')
  keys = thresholds.make_keys(key, 1)
  if positions is None:
    positions = jnp.arange(len(rates))
  return trains.draw(sampler, keys, Role.INPUT, 0, positions, rates, num_steps)


def fire(
  potential: jax.Array,
  num_steps: int,
  ceiling: float = 8.0,
  floor: float = 0.0,
  digits: int = 2,
  exact: Sequence[str] = (),
) -> jax.Array:
  """Fires the neurons of a layer: an activation function of spikes.

  It is `floor(N clip(v, a, c) + 1/2) / N` of the potential v. Its derivative
  rounds the error that arrives to its leading signed digits, and sends them
  where a < v < c. All arguments but the potential are Python's, not traced. The
  derivative of the derivative is 0, as of a staircase.

  Args:
    potential: v of each neuron, a sum of the rates of other neurons, or of
      products of rates of different layers, times weights. Counts are computed
      in float32 at least.
    num_steps: N, steps of the staircase for a rate of 1: rates are multiples of
      1 / N. A spike carries a power of two of them, so that N costs bits, not
      ticks; only unit spikes need N ticks.
    ceiling: c, the largest rate; c N, rounded, is the largest count, up to
      2^24, or 256 of bfloat16. Few potentials of trained ReLU networks exceed
      8.
    floor: a, the smallest rate, 0 or below, of signed neurons.
    digits: leading signed binary digits of an error that are sent: 1, 2, 3
      round it by at most 1/3, 1/11, 1/43 of it.
    exact: what is exact instead of spikes: 'forward', the rate clip(v, a, c);
      'backward', the error.

  Returns:
    Rates in the shape and dtype of the potential.

  Raises:
    UserError: if no count would be right, as of a ceiling without spikes, or
      of counts that the dtype of the potential cannot hold.

  Example:
    >>> from ssnn_jax.spiking import fire
    >>> v = jnp.array([[-0.2, 0.1, 0.3, 0.9, 9.0]])
    >>> fire(v, 4)
    Array([[0.  , 0.  , 0.25, 1.  , 8.  ]], dtype=float32)
    >>> jax.grad(lambda v: jnp.sum(fire(v, 4) * 0.3))(v)  # 1/4 + 1/16
    Array([[0.    , 0.3125, 0.3125, 0.3125, 0.    ]], dtype=float32)
  """
  check_exact(exact, 'forward', 'backward')
  check_neurons(num_steps, ceiling, floor, digits)
  potential = jnp.asarray(potential)
  # Integers of NumPy would overflow.
  num_steps, ceiling, floor = int(num_steps), float(ceiling), float(floor)
  most = 2 ** (jnp.finfo(potential.dtype).nmant + 1)
  if num_steps * max(ceiling, -floor) > most:
    raise types.UserError(
      f'potential is {potential.dtype}, which holds no count above {most:,}; '
      f'with {num_steps} steps and a ceiling of {ceiling:g} there are more: '
      'lower one of them, or use float32.'
    )
  fixed = Neurons(num_steps, ceiling, floor, digits, tuple(exact))
  # bfloat16 has 8 bits, and would round counts.
  exact_potential = potential.astype(_at_least_float32(potential))
  rates = checkpoint_name(respond(exact_potential, fixed), FIRED)
  return rates.astype(potential.dtype)


#: The name of the rates of `fire` in a jaxpr, which `spike` reads
FIRED = 'ssnn_jax.spiking.fire'


class Neurons(NamedTuple):
  """The neurons of a call of `fire`, by its arguments."""

  num_steps: int
  ceiling: float
  floor: float
  digits: int
  exact: tuple[str, ...]


def check_neurons(
  num_steps: int, ceiling: float, floor: float, digits: int
) -> None:
  """Refuses neurons of which no count would be right; raises `UserError`."""
  _check_steps(num_steps)
  is_range = checks.is_positive(ceiling) and checks.is_finite(floor)
  if not checks.is_count(digits) or digits > 24:  # those of float32
    raise types.UserError(f'digits is {digits!r}; expected 1 to 24.')
  if is_range:
    counts = [int(num_steps) * float(own) for own in (ceiling, -floor)]
    is_range = all(0.5 <= own <= 2**24 for own in counts if own)
  if not is_range or floor > 0:
    raise types.UserError(
      f'ceiling is {ceiling!r} and floor {floor!r}; expected numbers of Python '
      f'above and below 0, a count of 1 to 2^24 in {num_steps} steps.'
    )


def settle_counts(
  potential: jax.Array, num_steps: int, ceiling: float, floor: float
) -> tuple[jax.Array, jax.Array]:
  """Returns the counts N X* of neurons, and whether errors pass them."""
  low, high = (np.float32(num_steps * bound) for bound in (floor, ceiling))
  drive = num_steps * potential
  is_open = (low < drive) & (drive < high)
  return jnp.floor(jnp.clip(drive, low, high) + 0.5), is_open


def count_digits(values: jax.Array) -> jax.Array:
  """Counts the signed binary digits of numbers, as of `leading_digits`.

  They are as many as in the non-adjacent form, which differ in m and 3 m.
  """
  bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.uint32)
  mantissa = (bits & 0x7FFFFF) | 0x800000
  counts = jax.lax.population_count(mantissa ^ (3 * mantissa))
  return jnp.where(values != 0, counts, 0).astype(values.dtype)


def nearest_power(values: jax.Array) -> jax.Array:
  """Returns the powers of two nearest to numbers, with their signs.

  With p the largest power that does not exceed a number, that is 2 p from 1.5 p
  on, and p below; 0 of 0, and of numbers below 2^-127.
  """
  bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.uint32)
  # From 1.5 p on, half of p carries into the exponent; the sign stays.
  bits = (bits + jnp.uint32(0x400000)) & jnp.uint32(0xFF800000)
  return jax.lax.bitcast_convert_type(bits, jnp.float32).astype(values.dtype)


def leading_digits(values: jax.Array, digits: int) -> jax.Array:
  """Rounds numbers to their leading signed binary digits.

  A digit is the nearest power of two, the next that of the rest. NaN stays.
  """
  rest = values
  for _ in range(digits):
    rest = rest - nearest_power(rest)
  return values - rest


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def respond(potential: jax.Array, neurons: Neurons) -> jax.Array:
  """Returns the rates of neurons of potentials, of float32 at least."""
  num_steps, ceiling, floor, _, exact = neurons
  if 'forward' in exact:
    return jnp.clip(potential, floor, ceiling)
  return settle_counts(potential, num_steps, ceiling, floor)[0] / num_steps


def _respond_forward(potential, neurons):
  num_steps, ceiling, floor, *_ = neurons
  gate = settle_counts(potential, num_steps, ceiling, floor)[1]
  return respond(potential, neurons), gate


def _respond_backward(neurons, gate, error):
  if 'backward' not in neurons.exact:
    error = leading_digits(error, neurons.digits)
  return (jnp.where(gate, error, jnp.zeros_like(error)),)


respond.defvjp(_respond_forward, _respond_backward)


def _at_least_float32(array):
  is_short = jnp.finfo(array.dtype).bits < 32
  return jnp.float32 if is_short else array.dtype


def _check_steps(num_steps):
  if not checks.is_count(num_steps):
    raise types.UserError(
      f'num_steps is {num_steps!r}; expected an int, 1 step or more.'
    )


def check_exact(exact: Sequence[str], *names: str) -> None:
  """Refuses names of signals that would be spikes in silence."""
  if not set(exact) <= {*names}:
    raise types.UserError(
      f'exact is {exact!r}; expected a tuple of names among {", ".join(names)}.'
    )


def count_winners(
  phase: jax.Array, potential: jax.Array, num_winners: int
) -> jax.Array:
  """Counts how often each output neuron wins by lateral inhibition.

  Of n winners output neuron c is

    floor(n C_c + phi) - floor(n C_(c-1) + phi),  C = cumsum(softmax(v)),

  a systematic sample: with a uniform phase phi the mean is n softmax(v), and
  each number is within one of its mean. To round n softmax(v) instead would be
  biased: of many unlikely classes no error would ever be sent.

  Args:
    phase: `[...]` uniform random numbers in [0, 1), one of each sample.
    potential: `[..., C]` potentials v of the output neurons.
    num_winners: n.

  Returns:
    `[..., C]` float32 whole numbers, whose sum is n.
  """
  n = jnp.float32(num_winners)
  cumulative = jnp.cumsum(jax.nn.softmax(potential), axis=-1)[..., :-1]
  # Rounding must not lose a winner, or add one; of many classes a sum of
  # float32 may fall.
  cumulative = jax.lax.cummax(cumulative, axis=cumulative.ndim - 1)
  reached = jnp.minimum(
    jnp.floor(n * cumulative + jnp.asarray(phase)[..., None]), n
  )
  ends = jnp.broadcast_to(n, (*reached.shape[:-1], 1))
  return jnp.diff(reached, prepend=0.0 * ends, append=ends)


def find_winners(
  key: jax.Array,
  potential: jax.Array,
  num_winners: int = NUM_WINNERS,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Counts the winners of samples, as `count_winners` at drawn phases.

  The positions `[...]` of the samples in the global batch are those of
  `cross_entropy`; None is 0, 1 and so on.
  """
  checks.check_key(key)
  shape = potential.shape[:-1]
  if positions is None:
    positions = jnp.arange(np.prod(shape, dtype=int)).reshape(shape)
  if jnp.shape(positions) != shape:
    raise types.UserError(
      f'positions have shape {jnp.shape(positions)}; expected one for each '
      f'sample, {shape}, as all of a position have the same winners.'
    )
  return count_winners(draw_phases(key, positions), potential, num_winners)


def draw_phases(key: jax.Array, positions: jax.Array) -> jax.Array:
  """Draws the phases of the winners of samples, uniform in [0, 1).

  Args:
    key: PRNG key of the presentation.
    positions: `[...]` positions of the samples in the global batch.

  Returns:
    `[...]` float32, multiples of 2**-16.
  """
  key = thresholds.make_keys(key, 1)[0, Role.WINNER]
  bits = thresholds.keyed_hash(positions.astype(jnp.uint32), *key)
  return (bits >> 16).astype(jnp.float32) * 2.0**-16


def cross_entropy(
  key: jax.Array,
  logits: jax.Array,
  labels: jax.Array,
  num_winners: int = NUM_WINNERS,
  *,
  weights: jax.Array | None = None,
  total: jax.Array | float | None = None,
  positions: jax.Array | None = None,
  winners: jax.Array | None = None,
  exact: Sequence[str] = (),
) -> jax.Array:
  """Computes the softmax cross-entropy, whose derivative are the winners.

  The error of output neuron c of a sample is the fraction of the n winners that
  it is, less 1 of the label: its mean is the gradient, softmax - target. The
  variance of a class of probability p is at most p / n, and 1 / (4 n^2).

  Args:
    key: PRNG key of the presentation; consumed. Below `jax.vmap` give each
      sample a key or its position, as all would have the same winners' phase.
    logits: `[..., C]` potentials v of the output neurons, of samples or of
      positions of a sample.
    labels: `[...]` integer classes. Inside `jax.jit` a label that is no class
      makes loss and gradient NaN, unless its weight is 0.
    num_winners: n, winners of a sample, whatever the steps of its neurons.
    weights: `[...]` of samples or positions, as a mask, 0 or more; the loss is
      a mean with these weights, and has no derivative by them. None is 1.
    total: of these weights and those of other calls, whose losses then sum to
      the mean of all; None is the sum of these.
    positions: `[...]` positions of the samples in the global batch, of a shard;
      None is 0, 1 and so on.
    winners: `[..., C]` how often each class has won; None draws them by
      `find_winners`.
    exact: with 'winners' the derivative is softmax - target, without spikes.

  Returns:
    The mean loss, in nats; 0 if all weights are 0.
  """
  check_exact(exact, 'winners')
  if not checks.is_count(num_winners) or num_winners > MOST_WINNERS:
    raise types.UserError(
      f'num_winners is {num_winners!r}; expected 1 to {MOST_WINNERS} winners.'
    )
  if winners is None and 'winners' not in exact:
    checks.check_key(key)
  labels = labels if hasattr(labels, 'dtype') else np.asarray(labels)
  shape, num_classes = logits.shape[:-1], logits.shape[-1]
  checks.check_labels(labels, shape, num_classes, is_masked=weights is not None)
  labels = jnp.asarray(labels)
  logits = logits.astype(_at_least_float32(logits))
  weights = jnp.float32(1.0) if weights is None else jnp.asarray(weights)
  weights = jnp.broadcast_to(weights.astype(jnp.float32), shape)
  total = jnp.sum(weights) if total is None else jnp.float32(total)
  shares = weights / jnp.where(total > 0, total, 1.0)
  shares = jnp.where(weights == 0, 0.0, shares * mark_classes(labels, logits))
  shares = jnp.where(weights < 0, jnp.nan, shares)
  target = jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
  if 'winners' in exact:
    errors = jax.nn.softmax(logits) - target
  else:
    if winners is None:
      winners = find_winners(key, logits, num_winners, positions)
    errors = (winners - num_winners * target) / num_winners
  errors = jax.lax.stop_gradient(shares[..., None] * errors)
  labels = jnp.clip(labels, 0, num_classes - 1)
  return _weigh_losses(logits, labels, shares, errors)


def mark_classes(labels: jax.Array, logits: jax.Array) -> jax.Array:
  """Returns 1 for each label that is a class of `[..., C]` logits, or NaN."""
  is_class = (0 <= labels) & (labels < logits.shape[-1])
  return jnp.where(is_class, 1.0, jnp.nan)


@jax.custom_vjp
def _weigh_losses(logits, labels, shares, errors):
  """Computes a sum of cross-entropies; its derivative are the given errors."""
  del errors
  losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  return jnp.sum(shares * losses)


_weigh_losses.defvjp(
  lambda *inputs: (_weigh_losses(*inputs), inputs[-1]),
  lambda errors, slope: (
    (slope * errors).astype(errors.dtype), None, None, None
  ),
)  # fmt: skip
