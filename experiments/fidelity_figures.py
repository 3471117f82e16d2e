"""Draws how far updates are from backpropagation, and what that costs."""

from matplotlib import figure
import numpy as np

from experiments import costs
from experiments import figures
from experiments import orders
from experiments import sheets

_SAMPLERS = {
  'bernoulli': (figures.BLUE, 'o'),
  'sobol': (figures.ORANGE, 's'),
  'threefry': (figures.GREEN, '^'),
}
_WINDOWS = {1: ':', 4: '-.', 32: '-', 0: '--'}
_OTHER_WINDOWS = (0, (6, 2, 1, 2, 1, 2))
_NETWORKS = ('-', '--', '-.', ':')  # of prices
_CAUSES = {'chance': '-', 'kinks': ':'}
_MOST_TICKS = 6


def draw(fidelity: list[dict], benchmark: list[dict]) -> figure.Figure:
  """Draws the error of the update against T and against its price.

  Args:
    fidelity: lines of `experiments.measurements.fidelity`.
    benchmark: lines of `experiments.benchmark`, for the price.

  Returns:
    The figure: a panel for each network with spikes throughout and, where
    lines tell it, one with spikes in the update alone, with the predicted
    slopes; the last panel is of prices.
  """
  curves, quantised = costs.curves(fidelity), costs.quantised_curves(fidelity)
  networks = sorted({sizes for sizes, _, _ in curves}, key=len)
  num_panels = len(networks) * (2 if quantised else 1) + 1
  sheet, panels = sheets.make(num_panels, 2, 2.6, sharey=True)
  *errors, prices = panels
  _draw_errors(errors, networks, curves)
  _draw_quantised(errors[len(networks) :], networks, quantised)
  _draw_prices(prices, networks, curves, benchmark)
  all_steps = sorted({line['num_steps'] for line in fidelity})
  every = -(-len(all_steps) // _MOST_TICKS)
  for axes in errors:
    figures.set_steps(axes, all_steps[::every])
  for axes in panels[::2]:
    axes.set_ylabel(figures.ERROR_LABEL)
  sheets.explain_below(sheet, [errors[0], prices])
  first = fidelity[0]
  sheets.set_title(
    sheet,
    f'{sheets.name(first["dataset"])}: the update of a batch of '
    f'{first["batch_size"]} against BP, after {first["train_steps"]} steps',
    f'bars: standard deviation over {first["num_draws"]} draws of the spikes',
    f'across: {costs.TARGET_ERROR:g}, where prices are compared; pale: '
    'predicted powers of T, of chance at given rates and of gates near kinks, '
    'which add in quadrature (sobol up to logarithms)',
  )
  return sheet


def _draw_errors(panels, networks, curves):
  """Draws errors of spikes throughout; guides start where windows are T."""
  for axes, sizes in zip(panels, networks):
    own = {key[1:]: lines for key, lines in curves.items() if key[0] == sizes}
    longest = {sampler: lines for (_, sampler), lines in own.items()}
    for (window, sampler), lines in own.items():
      label = f'{sampler}, n = {window or "T"}'
      linestyle = _WINDOWS.get(window, _OTHER_WINDOWS)
      _plot(axes, lines, 'error', sampler, label=label, linestyle=linestyle)
    for sampler, lines in longest.items():
      for cause in _CAUSES:
        _guide(axes, lines, 'error', sampler, cause)
    _set_errors(axes, f'{_name(sizes)}:\nspikes throughout')


def _draw_quantised(panels, networks, curves):
  """Draws errors of spikes in the update alone."""
  for axes, sizes in zip(panels, networks):
    for (of_sizes, sampler), lines in curves.items():
      if of_sizes == sizes:
        _plot(axes, lines, costs.QUANTISED, sampler, label=sampler)
        _guide(axes, lines, costs.QUANTISED, sampler, 'chance')
    _set_errors(axes, f'{_name(sizes)}:\nspikes in the update only')


def _plot(axes, lines, name, sampler, **look):
  color, marker = _SAMPLERS[sampler]
  axes.errorbar(
    [line['num_steps'] for line in lines],
    [line[name] for line in lines],
    [line[f'{name}_sd'] for line in lines],
    color=color,
    marker=marker,
    markersize=3.5,
    linewidth=1.2,
    **look,
  )


def _guide(axes, lines, name, sampler, cause):
  """Draws a predicted power of T through the last point, as a pale band."""
  lines = [line for line in lines if line['num_steps'] >= orders.FROM_STEPS]
  if not lines:
    return
  slope = getattr(orders.ORDERS[sampler], cause)
  steps = np.array([line['num_steps'] for line in lines])
  axes.plot(
    steps,
    lines[-1][name] * (steps / steps[-1]) ** slope,
    color=_SAMPLERS[sampler][0],
    alpha=0.35,
    linewidth=4,
    linestyle=_CAUSES[cause],
    label=f'{sampler}, {cause}: slope {slope:g}',
    zorder=1,
  )


def _draw_prices(axes, networks, curves, benchmark):
  """Draws errors against the price of a step, where it was timed."""
  told = {}
  for (sizes, window, sampler), lines in curves.items():
    prices = costs.learn_prices(benchmark, sizes, sampler)
    timed = [line for line in lines if line['num_steps'] in prices]
    if window != costs.PRICED_WINDOW or not timed:
      continue
    color, marker = _SAMPLERS[sampler]
    linestyle = _NETWORKS[networks.index(sizes) % len(_NETWORKS)]
    axes.plot(
      [prices[line['num_steps']] for line in timed],
      [line['error'] for line in timed],
      color=color,
      marker=marker,
      markersize=3.5,
      linestyle=linestyle,
    )
    told[_name(sizes)] = linestyle
  for name, linestyle in told.items():
    axes.plot([], [], color='0.4', linestyle=linestyle, label=name)
  _set_errors(axes, f'against price, n = {costs.PRICED_WINDOW}')
  axes.set_xscale('log')
  axes.set_xlabel('time of a step, in that of BP')
  sheets.set_log(axes.xaxis)


def _set_errors(axes, title):
  axes.axhline(
    costs.TARGET_ERROR, color=figures.BLACK, linewidth=0.8, alpha=0.4
  )
  figures.set_errors(axes)
  axes.set_ylabel('')
  axes.set_title(title, fontsize=sheets.LETTERS)
  axes.grid(alpha=0.3)


def _name(sizes):
  return '-'.join(map(str, sizes))
