"""Models: networks that anyone writes, as functions of their neurons.

A model calls `neuron(v)` where it would call an activation function, and by
what `neuron` is, it is four things: a spiking network (`network.ssnn`), its ANN
(`network.ann`), an observation of all neurons (`observe`) and a circuit whose
spikes are played tick by tick (`realtime`).
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools
import itertools
import math
from typing import Any
from typing import ClassVar

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import spiking
from ssnn_jax import temporal
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


class Neuron:
  """What a model calls in place of an activation function.

  Attributes:
    respond: `(potential, ceiling, floor) -> rates`.
    draw_mask: `(number, shape, dropout) -> mask`, 0 where neurons are silent
      for a presentation, otherwise 1, of the call of this number with dropout;
      None drops none, as in inference.
  """

  def __init__(
    self,
    respond: Callable[[jax.Array, float | None, float], jax.Array],
    draw_mask: Callable[[int, tuple[int, ...], float], jax.Array] | None = None,
  ):
    """Makes neurons whose calls have not begun."""
    self.respond, self.draw_mask = respond, draw_mask
    self._numbers = itertools.count()

  def __call__(
    self,
    potential: jax.Array,
    *,
    ceiling: float | None = None,
    floor: float = 0.0,
    dropout: float = 0.0,
  ) -> jax.Array:
    """Returns the rates of a layer of neurons, in the shape of its potential.

    Args:
      potential: v of the neurons, as of `spiking.fire`.
      ceiling: largest rate; None is that of the model.
      floor: smallest rate, 0 or below.
      dropout: probability that a neuron is silent for a presentation, in
        training; the others are scaled by 1 / (1 - dropout). It is drawn by the
        key of the presentation, the position of the sample in the global batch
        and the number of the call: the steps of a `jax.lax.scan`, and what
        `jax.vmap` maps within a sample, drop the same neurons.
    """
    rates = self.respond(potential, ceiling, floor)
    rates, gain = self.drop(rates, dropout)
    return rates if gain == 1.0 else rates * gain

  def drop(self, rates: jax.Array, dropout: float) -> tuple[jax.Array, float]:
    """Returns the rates of which some are silent, and the scale of all."""
    if not 0 <= dropout < 1:
      raise types.UserError(
        f'dropout is {dropout}; expected 0 or more and below 1.'
      )
    if not dropout or self.draw_mask is None:
      return rates, 1.0
    mask = self.draw_mask(next(self._numbers), rates.shape, dropout)
    return mask.astype(rates.dtype) * rates, 1.0 / (1.0 - dropout)


@dataclasses.dataclass(frozen=True)
class Model:
  """A network as a function of its neurons, and its use of spikes.

  `dataclasses.replace(model, num_steps=4)` is the same model with other spikes.

  Attributes:
    init: `(key) -> params`, any tree of float arrays.
    apply: `(params, rates, neuron) -> logits`, `[B, C]` of rates of inputs
      `[B, *input_shape]`, or `[B, L, C]` of each of L moments or positions;
      `neuron` is a `Neuron`.
    input_shape: shape of the inputs of a sample.
    num_steps: N, steps of the rates of neurons, and ticks of recordings.
    ceiling: c, largest rate of neurons, unless a call gives its own.
    digits: leading signed digits of an error that neurons send.
    input_steps: steps of the rates of images; None is 32, or num_steps if that
      is more.
    num_winners: winners of a sample, in the output layer.
    sampler: trains of the inputs, as of `spiking.encode`.
    exact: what is exact instead of spikes: some of 'inputs', 'forward', the
      rates of neurons, 'backward', their errors, and 'winners', the errors of
      the output.
    grid: `params -> params` rounded to a grid, with the derivative of the
      parameters themselves; None is float32.
    is_single: whether `apply` is of one sample, without an axis B.
    answers: of logits `[B, L, C]`, 'last', a class of the whole signal, which
      the last moment with a label answers, on whose way errors grow; or 'each',
      a class of each moment (`temporal.weigh`).

  Raises:
    UserError: if a field is out of range.

  Example:
    >>> def init(key):
    ...   keys = jax.random.split(key)
    ...   draw = jax.nn.initializers.lecun_normal()
    ...   return draw(keys[0], (64, 32)), draw(keys[1], (32, 10))
    >>> def apply(params, rates, neuron):
    ...   return neuron(rates @ params[0]) @ params[1]
    >>> model = ssnn_jax.Model(init, apply, (64,), num_steps=8)
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> result = ssnn_jax.training.fit(
    ...   ssnn_jax.ssnn(model), 0.5, digits, num_epochs=5, progress=False)
    >>> bool(result.history.eval_accuracy[-1] > 0.9)
    True
  """

  init: Callable[[jax.Array], Any]
  apply: Callable[[Any, jax.Array, Neuron], jax.Array]
  input_shape: tuple[int, ...]
  num_steps: int = 8
  ceiling: float = 8.0
  digits: int = 2
  input_steps: int | None = None
  num_winners: int = spiking.NUM_WINNERS
  sampler: str | trains.Sampler = 'regular'
  exact: tuple[str, ...] = ()
  grid: Callable[[Any], Any] | None = None
  is_single: bool = False
  answers: str = 'last'
  neuron: ClassVar[str] = 'bipolar'

  def __post_init__(self):
    is_shape = isinstance(self.input_shape, Sequence)
    checks.check_field(self, 'input_shape', is_shape, 'a shape, as (28, 28)')
    for name in ('input_shape', 'exact'):  # hashable, as programs are cached
      object.__setattr__(self, name, tuple(getattr(self, name)))
    spiking.check_exact(self.exact, 'inputs', 'forward', 'backward', 'winners')
    spiking.check_neurons(self.num_steps, self.ceiling, 0.0, self.digits)
    is_valid = self.input_steps is None or checks.is_count(self.input_steps)
    checks.check_field(self, 'input_steps', is_valid, '1 or more, or None')
    is_valid = checks.is_count(self.num_winners)
    is_valid = is_valid and self.num_winners <= spiking.MOST_WINNERS
    expected = f'1 to {spiking.MOST_WINNERS}'
    checks.check_field(self, 'num_winners', is_valid, expected)
    expected = ' or '.join(temporal.ANSWERS)
    is_valid = self.answers in temporal.ANSWERS
    checks.check_field(self, 'answers', is_valid, expected)

  @property
  def steps_of_inputs(self) -> int:
    """Steps of the rates of images."""
    return self.input_steps or max(self.num_steps, spiking.INPUT_STEPS)

  def encode(
    self, key: jax.Array, inputs: types.Inputs, positions: jax.Array
  ) -> jax.Array:
    """Returns the `[B, I]` rates of inputs, of images multiples of 1 / N."""
    if 'inputs' in self.exact or inputs.train is not None:
      return inputs.rates
    steps = self.steps_of_inputs
    return spiking.encode_rates(
      key, inputs.rates, steps, self.sampler, positions=positions
    )

  def to_grid(self, params: Any) -> Any:
    """Rounds parameters to the grid."""
    return params if self.grid is None else self.grid(params)

  def fire(
    self, potential: jax.Array, ceiling: float | None, floor: float
  ) -> jax.Array:
    """Returns the rates of spiking neurons of this model."""
    exact = {'forward', 'backward'} & {*self.exact}
    ceiling = self.ceiling if ceiling is None else ceiling
    options = ceiling, floor, self.digits, tuple(sorted(exact))
    return spiking.fire(potential, self.num_steps, *options)

  def respond(
    self,
    params: Any,
    rates: jax.Array,
    respond: Callable[[jax.Array, float | None, float], jax.Array],
    dropout_key: jax.Array | None = None,
    positions: jax.Array | None = None,
  ) -> jax.Array:
    """Returns the logits, with any response of the neurons.

    Args:
      params: parameters.
      rates: `[B, I]` rates of inputs.
      respond: that of `Neuron`.
      dropout_key: PRNG key of the presentation; None drops no neuron.
      positions: `[B]` positions of the samples in the global batch.
    """

    def run(position, rates):
      draw = draw_mask if self.is_single else draw_masks
      mask = None
      if dropout_key is not None:
        mask = functools.partial(draw, dropout_key, position)
      # Accelerators would round potentials by default.
      with jax.default_matmul_precision('highest'):
        return self.apply(params, rates, Neuron(respond, mask))

    rates = rates.reshape(len(rates), *self.input_shape)
    if positions is None:
      positions = jnp.arange(len(rates))
    logits = (jax.vmap(run) if self.is_single else run)(positions, rates)
    shape = getattr(logits, 'shape', None)  # of an array, no pair
    if not shape or len(shape) not in (2, 3) or len(logits) != len(rates):
      raise types.UserError(
        f'apply returns logits of shape {shape} for {len(rates)} samples; '
        'expected [B, C], or [B, L, C] of moments, and for convolutions an '
        'axis of channels in input_shape, as (28, 28, 1).'
      )
    return logits


def draw_mask(
  key: jax.Array,
  position: jax.Array,
  number: int,
  shape: tuple[int, ...],
  dropout: float,
) -> jax.Array:
  """Draws the dropout of a layer of neurons, of one sample.

  Args:
    key: PRNG key of the presentation.
    position: position of the sample in the global batch.
    number: number of the layer, from 0, among those with dropout.
    shape: shape of the neurons.
    dropout: probability that a neuron is silent.

  Returns:
    float32 of the shape, 0 where a neuron is silent, otherwise 1.
  """
  own = thresholds.make_keys(key, number + 1)[number, Role.DROPOUT]
  size = math.prod(shape)
  source = thresholds.Source(own, position, Role.DROPOUT, number, size)
  bits = source.random_bits() >> (32 - thresholds.NUM_BITS)
  kept = thresholds.round_rates(jnp.float32(1.0 - dropout))
  return (bits < kept).astype(jnp.float32).reshape(shape)


def draw_masks(
  key: jax.Array,
  positions: jax.Array,
  number: int,
  shape: tuple[int, ...],
  dropout: float,
) -> jax.Array:
  """Draws `draw_mask` of a batch, of a shape with its B samples first."""
  if shape[0] != len(positions):
    raise types.UserError(
      f'neurons with dropout have shape {shape}; expected samples first, '
      f'{len(positions)}.'
    )
  draw = lambda own: draw_mask(key, own, number, shape[1:], dropout)
  return jax.vmap(draw)(positions)
