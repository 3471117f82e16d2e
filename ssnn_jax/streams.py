"""Streams: a model of traces that computes and learns moment after moment.

A signal `[B, L, channels]` can be computed at once (`network.ssnn`), or as it
comes: traces (`temporal`) are all that a network keeps of the past, and what
its synapses learn at a moment is their traces times the present errors::

  z_t = a z_(t-1) + (1 - a) x_t          dW_t = z_t E_t^T

so that memory does not depend on how long a stream is. Any `Model` is a stream,
without a line of its own, as the calls of `trace` in it are found
(`intercept`). Sums of the updates of all moments are the gradient of the whole
signal (`make_gradient`).
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import intercept
from ssnn_jax import network
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import temporal
from ssnn_jax import types
from ssnn_jax.model import Model

_MOMENTS = 5  # of a signal that is checked
_REMEDY = (
  'leave the past to ssnn_jax.trace over the moments, and answer at each of '
  'them, without attention to other moments, embeddings of positions, or sums, '
  'convolutions and normalization in time'
)


class Stream(NamedTuple):
  """A model moment after moment, as pure functions.

  Attributes:
    start: `(num_samples) -> carry`, traces before the first moment: a tuple
      with those of each call of `trace`, 0.
    loss: `(params, carry, key, inputs, labels=None) -> (loss, (carry,
      Inference))` of the next l moments, usually one: `[B, l, channels]`
      rates, or bool; labels `[B]`, or `[B, l]`, with -1 where there is none.
      The loss is the mean over the moments with a label, 0 if there are none,
      and None without labels, when dropout is off. Each call is given another
      key. `jax.grad(loss, has_aux=True)` is what the synapses learn at these
      moments.
  """

  start: Callable[[int], tuple[jax.Array, ...]]
  loss: Callable[..., tuple[jax.Array | None, tuple[Any, types.Inference]]]


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def follow(model: Model) -> Stream:
  """Returns a model as a stream.

  Args:
    model: a model of `[B, L, channels]` signals and `[B, L, C]` logits, whose
      only memory are its calls of `trace`; L of `input_shape` does not matter.

  Raises:
    UserError: if the model cannot be streamed, as `check`.

  Example:
    >>> from ssnn_jax import streams
    >>> def init(key):
    ...   return jax.random.normal(key, (6, 2))
    >>> def apply(params, rates, neuron):
    ...   return neuron(ssnn_jax.trace(rates, (0, 0.9))) @ params
    >>> stream = streams.follow(ssnn_jax.Model(init, apply, (100, 3)))
    >>> learn = jax.jit(jax.grad(stream.loss, has_aux=True))
    >>> params, carry = init(jax.random.key(0)), stream.start(1)
    >>> for t in range(3):
    ...   now, label = jnp.full((1, 1, 3), t / 2), jnp.array([1])
    ...   gradient, (carry, inference) = learn(
    ...     params, carry, jax.random.key(t), now, label)
    ...   params = params - 0.1 * gradient
    >>> inference.potential.shape
    (1, 1, 2)
  """
  example = 'a Model, as of model.from_linen'
  checks.check_type('model', model, Model, example)
  draw = np.random.default_rng(0).random
  make = lambda own: np.asarray(draw(own.shape) - 0.5, own.dtype)
  with jax.ensure_compile_time_eval():  # also where a caller is compiled
    check(model, jax.tree.map(make, samples.find_shapes(model)))

  def loss(params, carry, key, inputs, labels=None):
    _check_inputs(inputs)
    own = at_moments(model, inputs.shape[1])
    batch = samples.prepare(own, params, key, inputs, labels)
    rates = own.encode(key, batch.inputs, batch.position)
    dropout_key = None if labels is None else key
    logits, carry = _respond(
      own, model.to_grid(params), carry, rates, dropout_key
    )
    asked = samples.ask(batch, logits.shape, model.answers)
    if labels is not None:
      asked = asked._replace(weight=asked.label >= 0, total=None)
    loss, inference = network.answer(model, key, asked, logits)
    return loss, (carry, inference)

  return Stream(functools.partial(_start, model), loss)


def make_gradient(
  model: Model, moments: int = 1
) -> Callable[..., tuple[Any, types.Inference]]:
  """Makes the gradient of whole signals, in memory that does not grow with L.

  Args:
    model: as of `follow`.
    moments: those that are computed at once; they divide L.

  Returns:
    `(params, key, inputs, labels) -> (gradient, Inference)`, the sum of what
    the synapses learn at each moment. It is `jax.grad(ssnn(model).loss,
    has_aux=True)` of the same arguments up to the order of sums, but for masks
    of dropout, which are drawn for each `moments`.

  Raises:
    UserError: if the model cannot be streamed, as `check`; when called, if
      `moments` do not divide L.
  """
  start = follow(model).start

  def learn(params, key, inputs, labels):
    num_samples, length = inputs.shape[:2]
    whole, own = at_moments(model, length), at_moments(model, moments)
    batch = samples.prepare(whole, params, key, inputs, labels)
    if length % moments:
      raise types.UserError(
        f'inputs have {length} moments; expected a multiple of the {moments} '
        'that are computed at once.'
      )
    if model.sampler != 'regular':  # drawn at once, as the network's are
      drawn = whole.encode(key, batch.inputs, batch.position)
      inputs = drawn.reshape(inputs.shape)
    white, each = _find_white(inputs), jnp.asarray(labels)
    if each.ndim == 2:
      temporal.spread(each, length)
    each = each if each.ndim == 2 else each[:, None]  # not of all L, in memory
    repeats = length // each.shape[1]
    total = repeats * jnp.sum(each >= 0, axis=1, dtype=jnp.float32)
    num_labelled = jnp.sum(total > 0, dtype=jnp.float32)
    grid, from_grid = jax.vjp(model.to_grid, params)
    cut = lambda own, first: jax.lax.dynamic_slice_in_dim(
      own, first, moments, axis=1
    )

    def loss(grid, carry, first, before):
      now = cut(inputs, first).astype(jnp.float32) / white
      batch = samples.prepare(own, params, key, now)
      rates = batch.inputs.rates
      if model.sampler == 'regular':
        rates = own.encode(key, batch.inputs, batch.position)
      dropout_key = jax.random.fold_in(key, first)
      logits, carry = _respond(own, grid, carry, rates, dropout_key)
      if repeats == 1:
        label = cut(each, first)
      else:
        label = jnp.repeat(each, moments, axis=1)
      weight = temporal.weigh(label, model.answers, before, total)[0]
      position = batch.position[:, None] * length + first
      position = position + jnp.arange(moments)[None]
      asked = samples.Asked(position, label, weight, num_labelled)
      loss, inference = network.answer(model, key, asked, logits)
      before = before + jnp.sum(label >= 0, axis=1, dtype=jnp.float32)
      return loss, (carry, before, inference)

    def step(state, _):
      first, carry, before, gradient, answers = state
      own, (carry, before, inference) = jax.grad(loss, has_aux=True)(
        grid, carry, first, before
      )
      gradient = jax.tree.map(jnp.add, gradient, own)
      answers = jax.tree.map(
        lambda all_, now: jax.lax.dynamic_update_slice_in_dim(
          all_, now, first, axis=1
        ),
        answers,
        inference,
      )
      return (first + moments, carry, before, gradient, answers), None

    carry, before = start(num_samples), jnp.zeros(num_samples)
    found = jax.eval_shape(loss, grid, carry, 0, before)[1][-1]
    answers = jax.tree.map(
      lambda own: jnp.zeros((num_samples, length, *own.shape[2:]), own.dtype),
      found,
    )
    none = jax.tree.map(jnp.zeros_like, grid)
    state = jnp.int32(0), carry, before, none, answers
    state, _ = jax.lax.scan(step, state, length=length // moments)
    *_, gradient, answers = state
    return *from_grid(gradient), answers

  return learn


def check(model: Model, params: Any) -> None:
  """Refuses a model that would compute something else as a stream.

  Its logits at random rates must be the same when moments come one by one. The
  neurons are linear here, so that none is silent.

  Args:
    model: the model.
    params: its parameters.

  Raises:
    UserError: if logits differ, or are not those of each moment; or if a trace
      has `bptt`, whose errors need the past.
  """
  shape = 2, _MOMENTS, *model.input_shape[1:]
  rates = np.float32(np.random.default_rng(0).random(shape))
  params = checks.without_zeros(params)
  problem = 'cannot be streamed'
  with checks.explain('the model', _REMEDY, problem):
    whole, alone, memories = _compare(model, params, rates)
  if any(own.bptt for own in memories):
    raise types.UserError(
      'the model has a trace with bptt=True, whose errors need the past; leave '
      'bptt out.'
    )
  is_same = whole.shape == alone.shape and whole.ndim == 3
  if not (is_same and checks.are_close(whole, alone)):
    raise types.UserError(
      f'the model {problem}: its logits, of shape {whole.shape}, are others '
      f'when moments come one by one; {_REMEDY}.'
    )


def _compare(model, params, rates):
  """Returns the logits of a signal, those of its moments, and its memories."""
  linear = lambda potential, ceiling, floor: potential
  own = at_moments(model, rates.shape[1])

  def run(params, rates):
    return own.respond(params, rates, linear)

  memories = tuple(
    x.memory for x in intercept.trace(run, params, rates).recalls
  )

  @jax.jit
  def stream(params, rates):
    carry, found = _start(model, len(rates)), []
    for t in range(rates.shape[1]):
      now = rates[:, t : t + 1]
      logits, carry = _respond(
        at_moments(model, 1), params, carry, now, None, linear
      )
      found.append(logits)
    return jnp.concatenate(found, axis=1)

  found = jax.device_get((jax.jit(run)(params, rates), stream(params, rates)))
  return *found, memories


def at_moments(model: Model, length: int) -> Model:
  """Returns a model of signals of another number of moments."""
  return dataclasses.replace(
    model, input_shape=(length, *model.input_shape[1:])
  )


def _check_inputs(inputs):
  """Refuses integers: of a dark moment the largest may be 1, or a train."""
  if inputs.dtype != bool and not jnp.issubdtype(inputs.dtype, jnp.floating):
    raise types.UserError(
      f'inputs of a stream are {inputs.dtype}; expected float rates within '
      '[0, 1], as grey values / 255, or bool.'
    )


def _find_white(inputs):
  """Returns the value of a rate of 1; of integers 0 and 1, as images, NaN."""
  if not jnp.issubdtype(inputs.dtype, jnp.integer):
    return jnp.float32(1.0)
  return jnp.where(jnp.max(inputs) == 1, jnp.nan, jnp.float32(255.0))


def _start(model, num_samples):
  """Returns traces before the first moment."""
  own = at_moments(model, 1)
  run = lambda params, rates: own.respond(params, rates, own.fire)
  rates = jax.ShapeDtypeStruct((num_samples, *own.input_shape), jnp.float32)
  traced = intercept.trace(run, samples.find_shapes(model), rates)
  return intercept.rest(traced.recalls, num_samples)


def _respond(model, params, carry, rates, dropout_key, respond=None):
  """Returns the logits of some moments, and the traces of the last one."""

  def run(params, rates):
    return model.respond(params, rates, respond or model.fire, dropout_key)

  traced = intercept.trace(run, params, rates)
  remember, after = intercept.advance(traced.recalls, carry)

  def answer(number, potential):
    return spiking.respond(potential, traced.calls[number].neurons)

  logits = traced.evaluate(answer, params, rates, remember=remember)
  return logits, tuple(after)
