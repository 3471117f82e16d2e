"""Predictions: the classes of samples, and how likely they are."""

from typing import Any
from typing import NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.training import metrics
from ssnn_jax.training.state import Stream

BATCH_SIZE = 256  # of predictions and evaluations


class Prediction(NamedTuple):
  """Classes of N samples, and how likely each class is.

  Of a model that answers at each moment, `[N, L]` and `[N, L, C]`.
  """

  classes: np.ndarray  #: [N] int32
  probabilities: np.ndarray  #: [N, C] as of `metrics.probabilities`

  def confusion(self, labels: npt.ArrayLike) -> np.ndarray:
    """Counts samples by their class (row) and prediction (column), `[C, C]`.

    Signals with a label each answer at their last moment; of moments, those
    with the label -1 do not count.
    """
    labels = arrays.as_classes(np.asarray(labels))
    classes, size = self.classes, self.probabilities.shape[-1]
    is_known = np.ones(labels.shape, bool)
    if classes.ndim == 2:
      is_known = labels >= 0
      classes = classes[:, -1] if labels.ndim == 1 else classes
    own = np.where(is_known, labels, 0)
    checks.check_labels(own, classes.shape, size)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (labels[is_known], classes[is_known]), 1)
    return counts


def predict(
  network: types.Network,
  params: Any,
  inputs: npt.ArrayLike,
  *,
  seed: int | jax.Array = 0,
) -> Prediction:
  """Predicts the classes of samples by the readout of a network.

  Args:
    network: the network.
    params: its parameters, as of `init`, `fit` and `ssnn_jax.load`.
    inputs: `[N, ...]` images or spike trains, as for `Network`.
    seed: seed of what is random, or the key of a `TrainState`: the accuracy is
      that which `fit` evaluates with it.

  Raises:
    UserError: if the inputs do not fit the network, or potentials are NaN or
      infinite.

  Example:
    >>> network = ssnn_jax.ann(ssnn_jax.NetworkConfig((2, 3)))
    >>> params = (ssnn_jax.LayerParams(np.eye(2, 3), np.zeros(3)),)
    >>> found = ssnn_jax.training.predict(network, params, [[0.2, 0.9]])
    >>> int(found.classes[0]), found.probabilities[0].round(2)
    (1, array([0.26, 0.53, 0.21], dtype=float32))
  """
  key = seed if isinstance(seed, jax.Array) else jax.random.key(seed)
  key = jax.random.fold_in(key, Stream.EVALUATE)
  inputs, infer = np.asarray(inputs), jax.jit(network.infer)
  check_inputs(network, params, inputs)
  size, found = len(inputs), []
  for index, start in enumerate(range(0, size, BATCH_SIZE)):
    # All batches have one size, and compile once.
    numbers = np.minimum(np.arange(start, start + BATCH_SIZE), size - 1)
    batch_key = jax.random.fold_in(key, index)
    found.append(infer(params, batch_key, inputs[numbers[:size]]))
  found = jax.tree.map(lambda *own: np.concatenate(own)[:size], *found)
  classes = np.asarray(metrics.predict(found, network.readout))
  if np.any(classes < 0):
    sample = np.nonzero(classes < 0)[0][0]
    raise types.UserError(
      f'potentials of sample {sample} are NaN or infinite; pass '
      'params that are finite.'
    )
  probabilities = metrics.probabilities(found, network.readout)
  return Prediction(classes, np.asarray(probabilities))


def check_inputs(
  network: types.Network, params: types.Params, inputs: jax.Array | np.ndarray
) -> tuple[int, ...]:
  """Refuses samples `[N, ...]` that do not fit a network.

  Returns the shape of the answers to a sample, `[C]`, or `[L, C]` of moments.
  """
  # The checks of `infer` see the values of a constant: here the smallest and
  # the largest over all samples. Nothing is computed.
  checks.check_array('inputs', inputs)
  extremes = inputs
  if inputs.ndim > 1:
    extremes = np.stack([np.min(inputs, axis=0), np.max(inputs, axis=0)])
  infer = lambda params, key: network.infer(params, key, extremes)
  inference = jax.eval_shape(infer, params, jax.random.key(0))
  shape = inference.potential.shape
  if len(shape) not in (2, 3) or len(extremes) != shape[0]:
    raise types.UserError(
      f'outputs of {len(extremes)} samples have the shape {shape}; expected '
      'logits [B, C], or [B, L, C] of moments.'
    )
  return shape[1:]
