"""Memory of the ways of learning: stored bits and the energy of accesses."""

from collections.abc import Sequence

import pandas as pd

import ssnn_jax
from ssnn_jax.hardware import energy
from ssnn_jax.hardware import memory

_WINDOW = 32  # ticks, of buffered timing
TOTAL = 'total, kbit'
FEEDBACK = 'feedback weights, kbit'


def compare(layer_sizes: Sequence[int], num_steps: int) -> pd.DataFrame:
  """Compares the memory of learning in one network, with 32-bit values.

  Args:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.

  Returns:
    One row for each way of learning, its name in the column `learning`; kbit
    (1000 bits) of each kind, their total, and the kbit of fixed feedback
    weights, which are not in the total; nJ of the accesses in one presentation
    of one sample, with each table of energies.

  Raises:
    UserError: if T is too short for errors to return in real time.
  """
  window = min(_WINDOW, num_steps)
  buffered = ssnn_jax.NetworkConfig(layer_sizes, num_steps, window)
  realtime = ssnn_jax.NetworkConfig(
    layer_sizes, num_steps, window=1, timing='realtime'
  )
  ways = {
    'real time, n = 1': memory.count_spiking(realtime),
    f'buffered, n = {window}': memory.count_spiking(buffered),
    'backpropagation': memory.count_backprop(buffered),
    'feedback alignment': memory.count_feedback_alignment(buffered),
    f'surrogate gradient, T = {num_steps}': memory.count_surrogate_gradient(
      buffered
    ),
  }
  tables = {name: energy.load_table(name) for name in energy.TABLES}
  return pd.DataFrame(
    {'learning': name} | _measure(counted, tables)
    for name, counted in ways.items()
  )


def _measure(counted, tables):
  """Returns the columns of one way of learning."""
  kinds = counted.stored._asdict().items()
  columns = {f'{kind.replace("_", " ")}, kbit': n / 1e3 for kind, n in kinds}
  columns[TOTAL] = counted.stored.total / 1e3
  columns[FEEDBACK] = counted.feedback_weights / 1e3
  for name, table in tables.items():
    picojoules = energy.backprop_energy(0, counted.accesses, table)
    columns[f'{name}, nJ'] = picojoules / 1e3
  return columns


def write(compared: pd.DataFrame) -> pd.DataFrame:
  """Writes the frame of `compare` as text, without kinds that are all 0."""
  names, numbers = compared['learning'], compared.drop(columns='learning')
  used = numbers.loc[:, (numbers != 0).any()]
  cells = used.map(_cell)
  cells.insert(0, 'learning', names)
  return cells


def _cell(value):
  if not value:
    return ''
  return f'{value:.4g}' if value < 1000 else f'{value:,.0f}'
