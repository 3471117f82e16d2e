"""Draws how far updates are from backpropagation, and what that costs."""

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from experiments import costs
from experiments import figures
from experiments import orders

_SAMPLERS = {
  'bernoulli': (figures.BLUE, 'o'),
  'sobol': (figures.ORANGE, 's'),
  'threefry': (figures.GREEN, '^'),
}
_WINDOWS = {1: ':', 4: '-.', 32: '-', 0: '--'}
_NETWORKS = ('-', '--', '-.', ':')  # of prices
_CAUSES = {
  'chance': ('-', 'at given rates'),
  'kinks': (':', 'of gates near kinks'),
}
_PRICED = 32  # the window of benchmarks


def draw(fidelity: list[dict], benchmark: list[dict]) -> figure.Figure:
  """Draws the error of the update against T and against its price.

  Args:
    fidelity: lines of `experiments.fidelity`.
    benchmark: lines of `experiments.benchmark`, for the price.

  Returns:
    The figure: in the upper row spikes throughout, in the lower one, where
    lines tell it, spikes in the update alone; with the predicted slopes.
  """
  curves, quantised = costs.curves(fidelity), costs.quantised_curves(fidelity)
  networks = sorted({sizes for sizes, _, _ in curves}, key=len)
  num_rows = 2 if quantised else 1
  sheet = figure.Figure(
    figsize=(1 + 3.7 * (len(networks) + 1), 2 + 3.1 * num_rows),
    layout='constrained',
  )
  rows = sheet.subplots(
    num_rows, len(networks) + 1, sharey='row', squeeze=False
  )
  _draw_errors(rows[0], networks, curves)
  _draw_prices(rows[0][-1], networks, curves, benchmark)
  if quantised:
    _draw_quantised(rows[1], networks, quantised)
    _explain(rows[1][-1], rows[0][0])
  else:
    handles = rows[0][0].get_legend_handles_labels()
    sheet.legend(*handles, loc='outside lower center', fontsize=8.5, ncols=3)
  all_steps = sorted({line['num_steps'] for line in fidelity})
  for axes in rows[:, :-1].flat:
    figures.set_steps(axes, all_steps)
    axes.tick_params('x', labelsize=8, which='both')
  first = fidelity[0]
  sheet.suptitle(
    f'{first["dataset"]}: the update of one batch of {first["batch_size"]} '
    f'against BP, at weights after {first["train_steps"]} steps\n'
    f'bars: standard deviation over {first["num_draws"]} draws of the spikes'
  )
  return sheet


def _draw_errors(panels, networks, curves):
  """Draws errors of spikes throughout; guides start where windows are T."""
  for axes, sizes in zip(panels, networks):
    own = {key[1:]: lines for key, lines in curves.items() if key[0] == sizes}
    longest = {sampler: lines for (_, sampler), lines in own.items()}
    for (window, sampler), lines in own.items():
      label = f'{sampler}, n = {window or "T"}'
      linestyle = _WINDOWS[window]
      _plot(axes, lines, 'error', sampler, label=label, linestyle=linestyle)
    for sampler, lines in longest.items():
      for cause in _CAUSES:
        _guide(axes, lines, 'error', sampler, cause)
    _set_errors(axes, f'{_name(sizes)}: spikes throughout')
  panels[0].set_ylabel(figures.ERROR_LABEL)


def _draw_quantised(panels, networks, curves):
  """Draws errors of spikes in the update alone."""
  for axes, sizes in zip(panels, networks):
    for (of_sizes, sampler), lines in curves.items():
      if of_sizes == sizes:
        _plot(axes, lines, costs.QUANTISED, sampler, label=sampler)
        _guide(axes, lines, costs.QUANTISED, sampler, 'chance')
    _set_errors(axes, f'{_name(sizes)}: spikes in the update only')
  panels[0].set_ylabel(figures.ERROR_LABEL)


def _plot(axes, lines, name, sampler, **look):
  color, marker = _SAMPLERS[sampler]
  axes.errorbar(
    [line['num_steps'] for line in lines],
    [line[name] for line in lines],
    [line[f'{name}_sd'] for line in lines],
    **{'color': color, 'marker': marker, 'markersize': 3.5, 'linewidth': 1.2},
    **look,
  )


def _guide(axes, lines, name, sampler, cause):
  """Draws a predicted power of T through the last point, as a pale band."""
  lines = [line for line in lines if line['num_steps'] >= orders.FROM_STEPS]
  if not lines:
    return
  slope = getattr(orders.ORDERS[sampler], cause)
  linestyle, words = _CAUSES[cause]
  steps = np.array([line['num_steps'] for line in lines])
  axes.plot(
    steps,
    lines[-1][name] * (steps / steps[-1]) ** slope,
    **{'color': _SAMPLERS[sampler][0], 'alpha': 0.35, 'linewidth': 4},
    linestyle=linestyle,
    label=f'predicted {words}, {sampler}: slope {slope:g}',
    zorder=1,
  )


def _explain(corner, axes):
  """Tells curves and guides of the upper panels where there is room."""
  corner.set_axis_off()
  corner.legend(
    *axes.get_legend_handles_labels(),
    loc='center',
    fontsize=8.5,
    frameon=False,
    handlelength=3,
    title='parts of an error add in quadrature;\n'
    'powers of T of sobol hold up to logarithms;\n'
    f'across: {costs.TARGET_ERROR:g}, at which prices are compared',
    title_fontsize=8.5,
  )


def _draw_prices(axes, networks, curves, benchmark):
  """Draws errors against the price of a step, where it was timed."""
  for (sizes, window, sampler), lines in curves.items():
    prices = costs.learn_prices(benchmark, sizes, sampler)
    timed = [line for line in lines if line['num_steps'] in prices]
    if window != _PRICED or not timed:
      continue
    color, marker = _SAMPLERS[sampler]
    axes.plot(
      [prices[line['num_steps']] for line in timed],
      [line['error'] for line in timed],
      **{'color': color, 'marker': marker, 'markersize': 3.5},
      linestyle=_NETWORKS[networks.index(sizes) % len(_NETWORKS)],
      label=f'{sampler}, n = {_PRICED}, {_name(sizes)}',
    )
  if axes.lines:
    axes.legend(fontsize=8)
  _set_errors(axes, 'against price')
  axes.set_xscale('log')
  axes.set_xlabel('time of a step, in that of backpropagation')
  axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.xaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
  axes.xaxis.set_minor_formatter(ticker.NullFormatter())


def _set_errors(axes, title):
  axes.axhline(
    costs.TARGET_ERROR, color=figures.BLACK, linewidth=0.8, alpha=0.4
  )
  figures.set_errors(axes)
  axes.set_ylabel('')
  axes.set_title(title, fontsize=10.5)
  axes.grid(alpha=0.3)


def _name(sizes):
  return '-'.join(map(str, sizes))
