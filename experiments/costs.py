"""Tables of what spikes cost and what they are worth, from recorded lines."""

import json
import math
import os
import pathlib
from typing import Any

import numpy as np

from experiments import orders
from experiments import summary
from experiments.config import synapses
import ssnn_jax

BENCHMARK, FIDELITY = 'benchmark.jsonl', 'fidelity.jsonl'
QUANTISED = 'quantisation_error'  # of lines of fidelity
TARGET_ERROR = 0.25  # at which prices are compared
PRICED_WINDOW = 32  # of benchmarks


def load(folder: str | os.PathLike, name: str) -> list[dict[str, Any]]:
  """Reads the lines that a command has printed into a file.

  Args:
    folder: the folder of the record.
    name: that of the file.

  Returns:
    Its lines; none where there is no such file.

  Raises:
    UserError: if a line is not JSON.
  """
  path = pathlib.Path(folder, name)
  if not path.exists():
    return []
  lines = path.read_text().splitlines()
  try:
    return [json.loads(line) for line in lines]
  except json.JSONDecodeError as error:
    raise ssnn_jax.UserError(
      f'{path} holds a line that is not JSON ({error}); print it anew.'
    ) from None


# Of the lines of a benchmark, with their headings.
_LABELS = {
  'name': 'step of',
  'layer_sizes': 'network',
  'batch_size': 'batch',
  'method': 'method',
  'representation': 'spikes',
  'sampler': 'sampler',
  'synapses': 'synapses',
}
_USUAL = {'method': 'ssnn', 'synapses': synapses.IDEAL}


def benchmark_table(lines: list[dict[str, Any]]) -> str:
  """Lays out a benchmark as text, a line for what differs in more than T.

  Args:
    lines: those of `experiments.benchmark`.

  Returns:
    The table: times of backpropagation, and those of spikes in multiples of
    it, over T; memory is that of the longest trains.
  """
  all_steps = sorted({line['num_steps'] for line in lines} - {None})
  grouped, baseline = {}, None
  for line in lines:
    if line['num_steps'] is None:
      baseline = line  # of the lines that follow
      continue
    key = tuple(_label(line, name) for name in _LABELS)
    grouped.setdefault(key, (baseline, {}))[1][line['num_steps']] = line
  # What differs from the usual is told only where something does.
  told = [
    place
    for place, name in enumerate(_LABELS)
    if name not in _USUAL or any(key[place] != _USUAL[name] for key in grouped)
  ]
  headings = list(_LABELS.values())
  rows = [
    (
      *(*(headings[place] for place in told), 'BP, ms'),
      *(f'T = {steps}' for steps in all_steps),
      'MiB (BP)',
    )
  ]
  for key, (baseline, own) in grouped.items():
    longest = own[max(own)]
    rows.append(
      (
        *(*(key[place] for place in told), f'{baseline["median_ms"]:.3g}'),
        *(
          f'{own[t]["ratio_to_bp"]:.2f}' if t in own else '' for t in all_steps
        ),
        f'{longest["peak_mib"]:.1f} ({baseline["peak_mib"]:.1f})',
      )
    )
  return summary.layout(rows)


def _label(line, name):
  value = line.get(name, _USUAL.get(name))
  if name == 'layer_sizes':
    return '-'.join(map(str, value))
  return '' if value is None else str(value)


def fidelity_table(
  fidelity: list[dict[str, Any]], benchmark: list[dict[str, Any]]
) -> str:
  """Lays out what a relative error of `TARGET_ERROR` takes.

  Args:
    fidelity: lines of `experiments.measurements.fidelity`.
    benchmark: lines of `experiments.benchmark`, for the price of a step; a
      setting that was not timed has none.

  Returns:
    The table: for each network, window and sampler errors, the T and the steps
    of backpropagation at which the error is `TARGET_ERROR`, between measured
    ones by a power law, and the slope of the error in T, with its standard
    error, beside the predicted ones. Where lines tell it, a second table has
    the error with forward and backward on exact rates.
  """
  header = (
    *('network', 'window', 'sampler', 'error, T = 64', 'T = 256'),
    *(f'T for {TARGET_ERROR:g}', 'BP steps for it', 'slope', 'predicted'),
  )
  rows = []
  for (sizes, window, sampler), lines in curves(fidelity).items():
    errors = {line['num_steps']: line['error'] for line in lines}
    predicted = orders.ORDERS[sampler]
    steps = at_target(list(errors), list(errors.values()))
    is_timed = window == PRICED_WINDOW
    prices = learn_prices(benchmark, sizes, sampler) if is_timed else {}
    price = math.nan
    if len(prices) > 1:
      price = interpolate(list(prices), list(prices.values()), steps)
    rows.append(
      (
        '-'.join(map(str, sizes)),
        str(window or 'T'),
        sampler,
        *(f'{errors.get(t, math.nan):.3f}' for t in (64, 256)),
        '' if math.isnan(steps) else f'{steps:.0f}',
        '' if math.isnan(price) else f'{price:.1f}',
        _slope(lines, 'error'),
        f'{predicted.chance:g} to {predicted.kinks:g}',
      )
    )
  told = [header, *rows], _quantised_rows(fidelity)
  return '\n\n'.join(map(summary.layout, filter(None, told)))


def _quantised_rows(fidelity):
  """Lays out the errors of an update that alone is discrete, if told."""
  rows = []
  for (sizes, sampler), lines in quantised_curves(fidelity).items():
    errors = {line['num_steps']: line[QUANTISED] for line in lines}
    rows.append(
      (
        *('-'.join(map(str, sizes)), sampler),
        *(f'{errors.get(t, math.nan):.3f}' for t in (64, 256)),
        *(_slope(lines, QUANTISED), f'{orders.ORDERS[sampler].chance:g}'),
      )
    )
  header = (
    *('network', 'sampler', 'quantisation error, T = 64', 'that at T = 256'),
    *('its slope', 'its prediction'),
  )
  return [header, *rows] if rows else []


def _slope(lines, name):
  fit = orders.fit([(line['num_steps'], line[name]) for line in lines])
  return '' if math.isnan(fit.slope) else f'{fit.slope:.3f} ± {fit.error:.3f}'


def curves(fidelity: list[dict[str, Any]]) -> dict[tuple, list[dict]]:
  """Groups lines by network, window and sampler, in order of T.

  Args:
    fidelity: lines of `experiments.measurements.fidelity`.

  Returns:
    The lines of each curve; the window 0 is T itself, and the window 32 is T
    where that is shorter, as networks have it by default.
  """
  grouped = {}
  for line in sorted(fidelity, key=lambda line: line['num_steps']):
    windows = {line['window']}
    if line['window'] == line['num_steps']:
      windows |= {0, 32} if line['num_steps'] < 32 else {0}
    for window in windows & {0, 1, 4, 32}:
      key = tuple(line['layer_sizes']), window, line['sampler']
      grouped.setdefault(key, []).append(line)
  order = sorted(grouped, key=lambda key: (key[0], key[1] or math.inf, key[2]))
  return {key: grouped[key] for key in order}


def quantised_curves(fidelity: list[dict[str, Any]]) -> dict[tuple, list[dict]]:
  """Groups lines that tell a quantisation error, which windows do not change.

  Args:
    fidelity: lines of `experiments.measurements.fidelity`; older ones do not tell it.

  Returns:
    A line for each T, in its order, for each network and sampler.
  """
  grouped = {}
  for line in sorted(fidelity, key=lambda line: line['num_steps']):
    if QUANTISED in line:
      key = tuple(line['layer_sizes']), line['sampler']
      grouped.setdefault(key, {})[line['num_steps']] = line
  return {key: list(grouped[key].values()) for key in sorted(grouped)}


def learn_prices(
  benchmark: list[dict[str, Any]], sizes: tuple[int, ...], sampler: str
) -> dict[int, float]:
  """Finds what learning costs against T, in steps of backpropagation.

  Args:
    benchmark: lines of `experiments.benchmark`.
    sizes: the network.
    sampler: its sampler.

  Returns:
    The price for each T, of packed trains.
  """
  return {
    line['num_steps']: line['ratio_to_bp']
    for line in benchmark
    if line['name'] == 'learn'
    and tuple(line['layer_sizes']) == sizes
    and line['sampler'] == sampler
    and line['representation'] == 'packed'
  }


def at_target(steps: list[int], errors: list[float]) -> float:
  """Finds the T at which errors fall to `TARGET_ERROR`, by a power law."""
  for index in range(len(steps) - 1):
    if errors[index] >= TARGET_ERROR >= errors[index + 1]:
      part = slice(index, index + 2)
      logs = np.log(errors[part])[::-1], np.log(steps[part])[::-1]
      return float(np.exp(np.interp(np.log(TARGET_ERROR), *logs)))
  return math.nan


def interpolate(steps: list[int], values: list[float], at: float) -> float:
  """Reads a curve between its points, on logarithmic axes."""
  if math.isnan(at):
    return math.nan
  return float(np.exp(np.interp(np.log(at), np.log(steps), np.log(values))))
