"""Backpropagation by spikes that can be taken back, as plain JAX functions.

A bipolar neuron integrates and fires in both directions at once. It sends a
spike of either sign whenever the spikes that it has sent are no longer what
the spikes that it has received ask for, so that an early, wrong spike is taken
back. It stores four numbers: the drive D and the errors A that it has
received, and the forward spikes X and the error spikes E that it has sent::

  forward   m = clip(D, 0, c k) - X; a spike of +1 if m >= 1/2, -1 if m < -1/2
  backward  R = floor(G A + 1/2) / G if 0 < D < c k, otherwise 0; spikes of
            +-1/G until E = R
  synapse   collects s_i E_j + X_i e_j as spikes s_i and e_j arrive

with k ticks so far, at most T, the ceiling c and the gain G. When all spikes
have arrived the network is silent, in whatever order and however late they
came, and then, of layer l with weights W_l and biases b_l::

  D_l = W_l X_(l-1) + T b_l          X_l = floor(clip(D_l, 0, c T) + 1/2)
  E_l = floor(G W_(l+1)^T E_(l+1) + 1/2) / G   where 0 < D_l < c T, otherwise 0
  dW_l = X_(l-1) E_l^T / T^2         of the output layer E = winners - T target

(docs/method.md has the proof, `reference` and `realtime` the ticks). These are
the matrix products of backpropagation, so that the settled network is a
function of JAX: `fire` is the activation function of a layer of neurons, and
`jax.grad` is what the synapses learn in real time.

`jax.grad` is exactly the update of spikes for models of linear maps between
`encode`, `fire` and `cross_entropy`: dense and convolutional layers, average
pooling, residual sums, weights that are used several times. Batch or layer
normalization, maximum pooling, other activation functions and products of
activations are no synapses: they run, but their signals are not spikes.

Counts, and sums of counts, are exact in any order, on any number of
accelerators, if T, G, the batch size and other factors are powers of two, the
weights lie on a grid (`NetworkConfig.weight_bits`), and sums have at most 24
bits; of other numbers the last bit may differ, and with it a spike whose drive
is halfway between two counts.
"""

from collections.abc import Sequence
import functools

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


def encode(
  key: jax.Array,
  images: jax.Array,
  num_steps: int,
  sampler: str | trains.Sampler = 'regular',
  *,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Encodes images as rates of input spikes, multiples of 1 / T.

  Args:
    key: PRNG key of the presentation; 'regular' trains need none.
    images: `[B, ...]` as for `rate_encode`, which checks no values inside
      `jax.jit`: floats must be rates, not grey values up to 255.
    num_steps: T, ticks of a presentation.
    sampler: 'regular' trains have floor(T x + 1/2) evenly spaced spikes for a
      grey value x, without a random number; 'sobol' or 'bernoulli' trains, or
      those of a `trains.Sampler`, are drawn.
    positions: `[B]` positions of the images in the global batch, of a shard;
      None is 0 to B - 1.

  Returns:
    float32 rates in the shape of the images: spikes / T.

  Example:
    >>> from ssnn_jax import spiking
    >>> images = jnp.array([[0.0, 0.2, 0.5, 1.0]])
    >>> spiking.encode(jax.random.key(0), images, num_steps=4)
    Array([[0.  , 0.25, 0.5 , 1.  ]], dtype=float32)
  """
  _check_steps(num_steps)
  rates = trains.rate_encode(images)
  if sampler == 'regular':
    counts = jnp.floor(num_steps * rates + 0.5)
  else:
    words = draw_trains(key, rates, num_steps, sampler, positions=positions)
    counts = trains.count(words).astype(jnp.float32)
  return (counts / num_steps).reshape(images.shape)


def draw_trains(
  key: jax.Array,
  rates: jax.Array,
  num_steps: int,
  sampler: str | trains.Sampler,
  *,
  positions: jax.Array | None = None,
) -> jax.Array:
  """Draws the input spikes that `encode` counts, from `[B, I]` rates.

  Returns `[B, K, I]` uint32 words of 32 ticks, those from T on without spikes.
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
  gain: float = 4.0,
  ceiling: float = 1.0,
  batch_axis: int | None = 0,
  exact: Sequence[str] = (),
) -> jax.Array:
  """Fires the neurons of a layer: an activation function of spikes.

  It is `floor(clip(D, 0, c T) + 1/2) / T` of the drive D = T v. Its derivative
  rounds the error that arrives to spikes, and sends them where 0 < D < c T. All
  arguments but the potential are Python's, not traced.

  Args:
    potential: v = D / T, the mean current of each neuron, a linear function of
      the rates of other neurons.
    num_steps: T, ticks of a presentation.
    gain: G, error spikes for one unit of error; a spike is worth 1 / G. Errors
      below 1 / (2 G T) are not sent, which deep networks and convolutions need.
    ceiling: c, largest rate, in spikes per tick; c T is the largest count.
    batch_axis: axis of the samples, over which `cross_entropy` takes the mean:
      errors are those of a sample, times its length; None, or a potential of
      one axis, is a single sample, also below `jax.vmap`, whose gradient is
      taken below it, too. A loss that is scaled has other spikes: scale the
      gradient, or divide the gain by the factor.
    exact: what is exact instead of spikes: 'forward', the rate clip(v, 0, c);
      'backward', the error.

  Returns:
    Rates X / T in the shape of the potential, from 0 to c, rounded to a count.

  Example:
    >>> from ssnn_jax.spiking import fire
    >>> v = jnp.array([[-0.2, 0.1, 0.3, 0.9, 1.4]])
    >>> fire(v, 4)
    Array([[0.  , 0.  , 0.25, 1.  , 1.  ]], dtype=float32)
    >>> jax.grad(lambda v: jnp.sum(fire(v, 4) * 0.1))(v)  # 0.4 is 1.6 spikes
    Array([[0.   , 0.125, 0.125, 0.125, 0.   ]], dtype=float32)
  """
  _check_exact(exact, 'forward', 'backward')
  _check_steps(num_steps)
  if not checks.is_positive(gain) or not checks.is_positive(ceiling):
    raise types.UserError(
      f'gain is {gain!r} and ceiling {ceiling!r}; expected positive numbers of '
      'Python.'
    )
  last = max(1, potential.ndim) - 1
  if batch_axis is not None and batch_axis not in range(-last - 1, last + 1):
    raise types.UserError(
      f'batch_axis is {batch_axis!r}; expected an axis of a potential of shape '
      f'{potential.shape}, or None.'
    )
  return _fire(potential, num_steps, gain, ceiling, batch_axis, tuple(exact))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4, 5))
def _fire(potential, num_steps, gain, ceiling, batch_axis, exact):
  del gain, batch_axis
  if 'forward' in exact:
    return jnp.clip(potential, 0.0, ceiling)
  drive = jnp.clip(num_steps * potential, 0.0, ceiling * num_steps)
  return jnp.floor(drive + 0.5) / num_steps


def _fire_forward(potential, num_steps, gain, ceiling, batch_axis, exact):
  rates = _fire(potential, num_steps, gain, ceiling, batch_axis, exact)
  drive = num_steps * potential
  return rates, (0.0 < drive) & (drive < ceiling * num_steps)


def _fire_backward(num_steps, gain, ceiling, batch_axis, exact, gate, error):
  del ceiling
  if 'backward' not in exact:
    is_single = batch_axis is None or error.ndim == 1
    samples = 1 if is_single else error.shape[batch_axis]
    # Of errors, which are means over samples; an int32 could overflow.
    unit = float(num_steps * samples)
    error = jnp.floor(gain * (unit * error) + 0.5) / (gain * unit)
  return (jnp.where(gate, error, 0.0),)


_fire.defvjp(_fire_forward, _fire_backward)


def _check_steps(num_steps):
  """Refuses numbers of ticks of which no count would be right."""
  if not checks.is_count(num_steps):
    raise types.UserError(
      f'num_steps is {num_steps!r}; expected 1 tick or more.'
    )


def _check_exact(exact, *names):
  """Refuses names of signals that would be spikes in silence."""
  if not set(exact) <= {*names}:
    raise types.UserError(
      f'exact is {exact!r}; expected a tuple of names among {", ".join(names)}.'
    )


def count_winners(
  phase: jax.Array, potential: jax.Array, num_steps: jax.Array | int
) -> jax.Array:
  """Counts the ticks that each output neuron wins by lateral inhibition.

  In k ticks neuron c of n wins

    floor(k C_c + phi) - floor(k C_(c-1) + phi),  C = cumsum(softmax(v)),

  a systematic sample: with a uniform phase phi the mean is k softmax(v), and
  each number is within one of its mean.

  Args:
    phase: `[...]` uniform random numbers in [0, 1), one of each sample.
    potential: `[..., C]` potentials v of the output neurons.
    num_steps: k, ticks so far.

  Returns:
    `[..., C]` float32 whole numbers, whose sum is k.
  """
  k = jnp.asarray(num_steps, jnp.float32)
  cumulative = jnp.cumsum(jax.nn.softmax(potential), axis=-1)[..., :-1]
  # Rounding must not leave a tick without a winner, or with two.
  reached = jnp.minimum(
    jnp.floor(k * cumulative + jnp.asarray(phase)[..., None]), k
  )
  ends = jnp.broadcast_to(k, (*reached.shape[:-1], 1))
  return jnp.diff(reached, prepend=0.0 * ends, append=ends)


def draw_phases(key: jax.Array, positions: jax.Array) -> jax.Array:
  """Draws the phases of the winners of samples, uniform in [0, 1).

  Args:
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.

  Returns:
    `[B]` float32, multiples of 2**-16.
  """
  key = thresholds.make_keys(key, 1)[0, Role.WINNER]
  bits = thresholds.keyed_hash(positions.astype(jnp.uint32), *key)
  return (bits >> 16).astype(jnp.float32) * 2.0**-16


def cross_entropy(
  key: jax.Array,
  logits: jax.Array,
  labels: jax.Array,
  num_steps: int,
  *,
  positions: jax.Array | None = None,
  exact: Sequence[str] = (),
) -> jax.Array:
  """Computes the softmax cross-entropy, whose derivative are the winners.

  The error of output neuron c of a sample is its winners minus the target,
  W_c - T [c is the label]: its mean is T times the gradient, softmax - target.

  Args:
    key: PRNG key of the presentation; consumed.
    logits: `[B, C]` potentials v of the output neurons, or `[C]` of one sample.
    labels: `[B]` integer classes, or one.
    num_steps: T, ticks of a presentation.
    positions: `[B]` positions of the samples in the global batch, of a shard;
      None is 0 to B - 1.
    exact: with 'winners' the derivative is softmax - target, without spikes.

  Returns:
    The mean loss of the samples, in nats.
  """
  _check_exact(exact, 'winners')
  _check_steps(num_steps)
  if logits.ndim > 2 or logits.ndim != jnp.ndim(labels) + 1:
    raise types.UserError(
      f'logits have shape {logits.shape} and labels {jnp.shape(labels)}; '
      'expected [B, C] and [B], or [C] and a number.'
    )
  if logits.ndim == 1:
    batch = logits[None], jnp.asarray(labels)[None]
    return cross_entropy(
      key, *batch, num_steps, positions=positions, exact=exact
    )
  checks.check_labels(jnp.asarray(labels), *logits.shape)
  if positions is None:
    positions = jnp.arange(len(logits))
  target = jax.nn.one_hot(labels, logits.shape[-1])
  if 'winners' in exact:
    errors = jax.nn.softmax(logits) - target
  else:
    winners = count_winners(draw_phases(key, positions), logits, num_steps)
    errors = (winners - num_steps * target) / num_steps
  return _mean_loss(logits, labels, jax.lax.stop_gradient(errors))


@jax.custom_vjp
def _mean_loss(logits, labels, errors):
  """Computes the mean cross-entropy; its derivative are the given errors."""
  del errors
  losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  return jnp.mean(losses)


_mean_loss.defvjp(
  lambda logits, labels, errors: (_mean_loss(logits, labels, errors), errors),
  lambda errors, slope: (slope * errors / len(errors), None, None),
)
