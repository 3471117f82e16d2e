"""Figures of a signal in time: how early a network answers, and what it sees.

`present` presents the signal; `draw` draws inputs, neurons and answers on one
axis of time, `draw_attention` the scores of attention; `animate` makes a film
of either, moment after moment.
"""

import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib import animation
from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax import intercept
from ssnn_jax import spiking
from ssnn_jax import types
from ssnn_jax.datasets import Dataset
from ssnn_jax.datasets import signals
from ssnn_jax.figures import raster
from ssnn_jax.figures import sample
from ssnn_jax.training import metrics

_MAX_NEURONS = 64  # of a layer
_MOST = 24  # moments of a map of scores
_LATER = '#EEEEEE'  # what is not drawn yet, or not seen
_SIGNS = {'\n': '↵', ' ': '·', '\t': '⇥'}


class Presented(NamedTuple):
  """A signal of L moments that a network was presented, and its answers."""

  inputs: np.ndarray  #: [L, I] rates, of sounds the signed levels of 32 bands
  labels: np.ndarray | None  #: [L] classes, -1 without one, if known
  #: [L, J] counts of each call of neurons, but for scores
  counts: tuple[np.ndarray, ...]
  #: [heads, L, L] counts, NaN where no answer depends on the score
  scores: tuple[np.ndarray, ...]
  probabilities: np.ndarray  #: [L, C] as of `metrics.probabilities`
  class_names: tuple[str, ...]
  is_each: bool  #: whether each moment has an answer of its own

  @property
  def answers(self) -> np.ndarray:
    """The most probable class of each moment, `[L]`."""
    return self.probabilities.argmax(axis=1)

  @property
  def label(self) -> int | None:
    """The true class at the last moment, if known."""
    return None if self.labels is None else int(self.labels[-1])

  @property
  def ranking(self) -> np.ndarray:
    """Classes, the most probable of any moment first."""
    return np.argsort(-self.probabilities.max(axis=0), stable=True)

  @property
  def title(self) -> str:
    """The class, what the network takes the signal for, and since when."""
    answers, length = self.answers, len(self.answers)
    if self.is_each:
      if self.labels is None:
        return f'{length} answers'
      return f'{np.sum(answers == self.labels)} of {length} answers are right'
    first = np.max(np.flatnonzero(answers != answers[-1]), initial=-1) + 1
    probability = self.probabilities[-1, answers[-1]]
    words = f'classified as {self.class_names[answers[-1]]} from moment '
    words += f'{first} of {length} on, probability {probability:.2f}'
    if self.label is None:
      return words
    return f'class {self.class_names[self.label]}, {words}'


def present(
  network: types.Network,
  params: Any,
  key: jax.Array,
  inputs: np.ndarray,
  labels: np.ndarray | None = None,
  dataset: Dataset | None = None,
) -> Presented:
  """Presents a signal to a network.

  Args:
    network: the network of a model, spiking or not.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    inputs: `[L, I]` signal.
    labels: `[L]` classes, -1 at moments without one, or that of all moments,
      if known. What follows the last label is not drawn.
    dataset: data set with the names of the classes; None: they are numbers.

  Raises:
    UserError: if the network has no answer at each moment.

  Example:
    >>> from ssnn_jax import figures
    >>> def init(key):
    ...   return jax.random.normal(key, (12, 10))
    >>> def apply(params, rates, neuron):
    ...   return neuron(ssnn_jax.trace(rates, (0.5, 0.9))) @ params
    >>> network = ssnn_jax.ssnn(ssnn_jax.Model(init, apply, (20, 6)))
    >>> presented = figures.signal.present(
    ...   network, network.init(jax.random.key(0)), jax.random.key(1),
    ...   np.eye(20, 6, dtype=np.float32))
    >>> presented.counts[0].shape
    (20, 12)
    >>> page = figures.signal.draw(presented)
  """
  args = params, key, jnp.asarray(inputs)[None]
  traced = intercept.trace(network.infer, *args)

  def evaluate(probes):
    """Returns a sum of all answers, and what all neurons send."""
    rates = []

    def respond(number, potential):
      own = spiking.respond(potential, traced.calls[number].neurons)
      rates.append(own)
      # The derivative is also that of neurons that are silent or saturated.
      change = probes[number] + potential
      return jax.lax.stop_gradient(own - change) + change

    inference = traced.evaluate(respond, *args)
    return jnp.sum(inference.potential), (rates, inference)

  probes = [jnp.zeros(call.shape) for call in traced.calls]
  slopes, (rates, inference) = jax.device_get(
    jax.jit(jax.grad(evaluate, has_aux=True))(probes)
  )
  probabilities = np.asarray(metrics.probabilities(inference, network.readout))
  length = len(inputs)
  if probabilities.shape[:-1] != (1, length):
    raise types.UserError(
      'the network does not answer at each moment of a signal; present the '
      'signal to a model with logits [B, L, C].'
    )
  if labels is not None:
    labels = np.broadcast_to(labels, len(inputs))
    length = 1 + np.max(np.flatnonzero(labels >= 0), initial=-1)
    labels = labels[:length] if length else None
    length = length or len(inputs)
  counts, scores = [], []
  for own, slope in zip(rates, slopes):
    own = network.config.num_steps * own[0]
    if own.ndim == 3 and own.shape[1:] == 2 * (len(inputs),):
      seen = np.where(slope[0] == 0, np.nan, own)
      scores.append(seen[:, :length, :length])
    elif own.shape[:1] == (len(inputs),):
      counts.append(own[:length].reshape(length, -1))
  levels = np.float32(inputs[:length])
  if inputs.dtype == np.uint8:
    levels /= 255
  if dataset and dataset.name.partition('/')[0] in signals.SOUNDS:
    above, below, _ = np.split(levels, signals.NUM_BANDS * np.arange(1, 3), 1)
    levels = above - below
  numbers = tuple(map(str, range(probabilities.shape[-1])))
  return Presented(
    levels,
    labels,
    tuple(counts),
    tuple(scores),
    probabilities[0, :length],
    dataset.class_names if dataset else numbers,
    network.config.answers == 'each',
  )


def draw(presented: Presented) -> figure.Figure:
  """Draws inputs, counts of neurons and probabilities of classes in time.

  Of a layer the 64 most active neurons are drawn, in the order of the moments
  at which they are active.
  """
  length = len(presented.inputs)
  panels = [(presented.inputs, 'inputs', 'Greys')]
  if np.any(presented.inputs < 0):
    panels = [
      (presented.inputs, 'inputs: bands above and below the mean', 'RdBu_r')
    ]
  for number, counts in enumerate(presented.counts, 1):
    chosen = raster.most_active([counts], _MAX_NEURONS)
    sums = np.abs(counts[:, chosen]).sum(axis=0)
    if np.any(sums):  # without silent ones
      chosen, sums = chosen[sums > 0], sums[sums > 0]
    times = np.arange(length) @ np.abs(counts[:, chosen]) / np.maximum(sums, 1)
    words = (
      f'layer {number}: counts of {len(chosen)} of {counts.shape[1]} neurons'
    )
    panels.append((counts[:, chosen[np.argsort(times)]], words, 'Blues'))
  classes = sample.choose_classes(presented)
  words = 'probabilities of the classes'
  words += ', the true one in a box' * (presented.label is not None)
  panels.append((presented.probabilities[:, classes], words, 'Blues'))
  size = 7.6, 1.4 + 1.3 * len(panels)
  fig = figure.Figure(size, layout='constrained')
  ratios = [1] * (len(panels) - 1) + [1.6]
  grid = fig.subplots(len(panels), sharex=True, height_ratios=ratios)
  for axes, (values, words, cmap) in zip(grid, panels):
    most = np.abs(values).max() or 1
    least = -most if cmap == 'RdBu_r' else min(0, values.min())
    look = {'vmin': least, 'vmax': most, 'interpolation': 'none'}
    shown = axes.imshow(values.T, cmap, aspect='auto', **look)
    axes.set_facecolor(_LATER)
    axes.set_title(words, fontsize=10, loc='left')
    axes.set_yticks([])
    fig.colorbar(shown, ax=axes, ticks=ticker.MaxNLocator(2), pad=0.01)
  grid[0].invert_yaxis()  # low frequencies are below
  sample.name_classes(axes, presented, classes)
  axes.tick_params('y', length=0, labelsize=8)
  shown.set_clim(0, 1)
  axes.set(xlabel='moment', xlim=(-0.5, length - 0.5))
  fig.suptitle(presented.title, fontsize=11, parse_math=False)
  return fig


def draw_attention(presented: Presented, layer: int = 1) -> figure.Figure:
  """Draws the scores of the heads of a layer, and the answers on their right.

  A row is a moment that looks at those of the columns. Scores on which no
  answer depends, as behind a mask, are gray. Of a long signal the first 24
  moments are drawn.

  Args:
    presented: the signal.
    layer: layer with attention, from 1.
  """
  if layer not in range(1, 1 + len(presented.scores)):
    raise types.UserError(
      f'layer is {layer}, and {len(presented.scores)} layers have attention; '
      'give one of them, from 1.'
    )
  scores = presented.scores[layer - 1][:, :_MOST, :_MOST]
  names = _name_moments(presented)[:_MOST]
  rows = np.arange(len(names)) + 0.3  # where letters stand
  is_known = presented.labels is not None
  labels = presented.labels if is_known else presented.answers
  num_columns = math.ceil(len(scores) ** 0.5)
  num_rows = -(-len(scores) // num_columns)
  size = 0.4 + 3.9 * num_columns, 0.6 + 3.6 * num_rows
  fig = figure.Figure(size, layout='constrained')
  grid = np.ravel(fig.subplots(num_rows, num_columns, squeeze=False))
  for number, (axes, own) in enumerate(zip(grid, scores), 1):
    least, most = np.nanmin(own, initial=0), np.nanmax(own, initial=1)
    shown = axes.imshow(own, 'Blues', vmin=least, vmax=most)
    axes.set_facecolor(_LATER)
    axes.set_title(f'head {number}', fontsize=10)
    look = {'fontsize': 9, 'family': 'monospace', 'va': 'baseline'}
    look |= {'parse_math': False}
    axes.set_xticks(range(len(names)), names, **look)
    axes.set_yticks(rows, names, **look)
    axes.tick_params('x', length=0, pad=11)
    axes.tick_params('y', length=0, pad=3)
    fig.colorbar(shown, ax=axes, ticks=ticker.MaxNLocator(2), shrink=0.6)
    for row, label, answer in zip(rows, labels, presented.answers):
      color = raster.SPIKE if answer == label else raster.FIRE_LESS
      name = _name(presented.class_names[answer])
      axes.text(len(names) - 0.2, row, name, color=color, **look)
  for axes in grid[len(scores) :]:
    axes.set_axis_off()
  words = f'layer {layer}: counts of scores, and right of them the answers'
  words += ', orange if wrong' * is_known
  fig.suptitle(words, fontsize=11)
  return fig


def _name(name):
  """Returns the name of a class, of a character that is not seen a sign."""
  return _SIGNS.get(name, name)


def _name_moments(presented):
  """Names moments by their one-hot inputs, characters, or by their number."""
  inputs, names = presented.inputs, presented.class_names
  if inputs.shape[1] == len(names) and np.all(np.sum(inputs != 0, axis=1) == 1):
    return [_name(names[code]) for code in inputs.argmax(axis=1)]
  return list(map(str, range(len(inputs))))


def animate(
  presented: Presented, layer: int | None = None
) -> animation.FuncAnimation:
  """Animates a signal, moment after moment; what is later is not yet drawn.

  Args:
    presented: the signal.
    layer: layer of `draw_attention`; None animates `draw`.
  """
  fig = draw(presented) if layer is None else draw_attention(presented, layer)
  title = fig.suptitle(fig.get_suptitle(), fontsize=11)
  fig.draw_without_rendering()
  fig.set_layout_engine('none')  # places stay
  panels = [axes for axes in fig.axes if axes.images]
  whole = [axes.images[0].get_array().filled(np.nan) for axes in panels]
  length = whole[0].shape[1]
  for axes in panels:
    (axes.axhline if layer else axes.axvline)(color=raster.FIRE_LESS)

  def show(moment, _):
    """Hides what is later than some moments."""
    is_later, place = np.arange(length) >= moment, 2 * [moment - 0.5]
    for axes, values in zip(panels, whole):
      later = is_later[:, None] if layer else is_later
      axes.images[0].set_data(np.where(later, np.nan, values))
      (axes.lines[0].set_ydata if layer else axes.lines[0].set_xdata)(place)
      for text, hidden in zip(axes.texts, is_later):
        text.set_visible(not hidden)
    if layer is None:
      title.set_text(_describe(presented, moment))

  return sample.film(fig, show, length)


def _describe(presented, moments):
  """Returns the answer at the last of some moments, of all the title."""
  if moments == len(presented.inputs):
    return presented.title
  last = presented.answers[moments - 1]
  probability = presented.probabilities[moments - 1, last]
  words = f'moment {moments - 1}: classified as {presented.class_names[last]}'
  return f'{words}, probability {probability:.2f}'
