"""Figures of a signal in time: how early a network answers.

`present` presents the signal; `draw` draws inputs and answers on one axis of
time.
"""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax import types
from ssnn_jax.datasets import Dataset
from ssnn_jax.datasets import signals
from ssnn_jax.figures import sample
from ssnn_jax.training import metrics


class Presented(NamedTuple):
  """A signal of L moments that a network was presented, and its answers."""

  inputs: np.ndarray  #: [L, I] rates, of sounds the signed levels of 32 bands
  labels: np.ndarray | None  #: [L] classes, -1 without one, if known
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
    >>> init = lambda key: jax.random.normal(key, (12, 10))
    >>> apply = lambda w, x: ssnn_jax.trace(x, (0.5, 0.9)) @ w
    >>> network = ssnn_jax.ssnn(
    ...   ssnn_jax.as_function((init, apply), np.zeros((1, 20, 6))))
    >>> presented = figures.signal.present(
    ...   network, network.init(jax.random.key(0)), jax.random.key(1),
    ...   np.eye(20, 6, dtype=np.float32))
    >>> presented.probabilities.shape
    (20, 10)
    >>> page = figures.signal.draw(presented)
  """
  inference = jax.jit(network.infer)(params, key, jnp.asarray(inputs)[None])
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
    probabilities[0, :length],
    dataset.class_names if dataset else numbers,
    network.config.answers == 'each',
  )


def draw(presented: Presented) -> figure.Figure:
  """Draws inputs and probabilities of classes in time."""
  length = len(presented.inputs)
  panels = [(presented.inputs, 'inputs', 'Greys')]
  if np.any(presented.inputs < 0):
    panels = [
      (presented.inputs, 'inputs: bands above and below the mean', 'RdBu_r')
    ]
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
