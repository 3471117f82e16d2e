"""Error of one update against spike-train length and computational cost."""

from collections.abc import Mapping
import itertools
import math

from matplotlib import figure
import numpy as np
import pandas as pd
from scipy import stats

from experiments.analysis import figures
from experiments.analysis import grid_table
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import titles

FROM_STEPS = 16  # powers are fitted from this T up; shorter trains are coarse
TARGET_ERROR = 0.25
_TIMED_WINDOW = 32  # of the benchmark
_WINDOWS = (1, 4, 32, 'T')
_CURVE = ['network', 'sampler', 'window']
# Predicted powers of T of the sampling error of coincidence counts for given
# rates, and of the gating error of noisy potentials. The two errors add in
# quadrature. Random counts and potentials have a variance of order 1 / T. The
# share of neurons so close to a kink of the firing function that noise puts
# them on its wrong side is proportional to the noise, and the gating error to
# the root of the share. Counts of Sobol trains, of which the two of
# the first layer are a (0, 2)-sequence, are within about log T of T times the
# rate, once T resolves the rates.
POWERS = {
  'bernoulli': (-1 / 2, -1 / 4),
  'sobol': (-1.0, -1 / 2),
}
# Abscissa, ordinate and title of the panels in each row.
_ROWS = (
  ('num_steps', 'error', 'all passes'),
  ('num_steps', 'quantisation_error', 'update only'),
  ('ratio_to_bp', 'error', f'n = {_TIMED_WINDOW}'),
)
_LINES = {1: ':', _TIMED_WINDOW: '-', 'T': '--'}
_TIMED = (
  'python -m experiments.benchmark --names=learn --representations=packed '
  '--layer_sizes=784,256,10 --layer_sizes=784,256,256,10 '
  '--num_steps=4,8,16,32,64,128,256,512,1024 --sampler='
)


def fit(errors: pd.Series) -> tuple[float, float]:
  """Fits a power of T to errors by T; returns it and its standard error."""
  errors = errors[errors.index >= FROM_STEPS]
  if len(errors) < 3:
    return math.nan, math.nan
  found = stats.linregress(np.log(errors.index), np.log(errors))
  return float(found.slope), float(found.stderr)


def find_target(curve: pd.DataFrame) -> tuple[float, float]:
  """Returns T and steps of BP where errors fall to the target, or NaN."""
  steps = time = math.nan
  points = itertools.pairwise(curve['error'].items())
  for (t, error), (next_t, following) in points:
    if error >= TARGET_ERROR >= following:
      steps = _interpolate(TARGET_ERROR, [following, error], [next_t, t])
      break
  times = curve['ratio_to_bp'].dropna()
  if len(times) > 1 and not math.isnan(steps):
    time = _interpolate(steps, times.index, times)
  return steps, time


def _interpolate(place, places, values):
  """Interpolates on logarithmic axes."""
  logs = map(np.log, (place, places, values))
  return float(np.exp(np.interp(*logs)))


def collect_curves(lines: pd.DataFrame) -> dict[tuple, pd.DataFrame]:
  """Collects the curves of each network, sampler and window, by T.

  Lines of `experiments.benchmark` have the time of a step, `ratio_to_bp`. Small
  networks are first; a window that is longer than T is T.
  """
  networks = ['-'.join(map(str, sizes)) for sizes in lines['layer_sizes']]
  ratios = lines.get('ratio_to_bp', math.nan)
  lines = lines.assign(network=networks, ratio_to_bp=ratios)
  is_timed = lines['ratio_to_bp'].notna()
  keys = ['network', 'sampler', 'num_steps']
  times = lines[is_timed][[*keys, 'ratio_to_bp']]
  times = times.drop_duplicates(keys, keep='last')
  lines = lines[~is_timed].drop(columns='ratio_to_bp')
  lines = lines.merge(times, 'left', keys).astype({'num_steps': int})
  curves = {}
  groups = lines.sort_values('num_steps').groupby(['network', 'sampler'])
  for ((network, sampler), own), window in itertools.product(groups, _WINDOWS):
    own_steps = own['num_steps']
    longest = own_steps if window == 'T' else own_steps.clip(upper=window)
    curve = own[own['window'] == longest].set_index('num_steps', drop=False)
    if window != _TIMED_WINDOW:
      curve['ratio_to_bp'] = math.nan
    if len(curve):
      curves[network, sampler, window] = curve
  return dict(sorted(curves.items(), key=lambda item: len(item[0][0])))


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists errors, powers of T and costs; then errors of the update only."""
  rows, discrete = [], []
  for key, curve in collect_curves(lines).items():
    labels = dict(zip(_CURVE, map(str, key)))
    steps, cost = find_target(curve)
    sampling, gating = POWERS[key[1]]
    rows.append(
      labels
      | _write_errors(curve['error'], f'{sampling:g} to {gating:g}')
      | {
        f'T for {TARGET_ERROR:g}': _write(steps, '.0f'),
        f'BP steps for {TARGET_ERROR:g}': _write(cost, '.1f'),
      }
    )
    if key[2] == 'T':
      del labels['window']
      errors = curve['quantisation_error']
      discrete.append(labels | _write_errors(errors, f'{sampling:g}'))
  return grid_table.set_titles(
    {
      'Spikes throughout': pd.DataFrame(rows),
      'Spikes in the update only': pd.DataFrame(discrete),
    }
  )


def _write_errors(errors, predicted):
  power, deviation = fit(errors)
  heading = errors.name.replace('_', ' ').replace('isation', 'ization')
  return {
    f'{heading}, T = 64': _write(errors.get(64), '.3f'),
    'T = 256': _write(errors.get(256), '.3f'),
    'power of T': _write(power, '.3f') and f'{power:.3f} ± {deviation:.3f}',
    'predicted': predicted,
  }


def _write(value, form):
  value = math.nan if value is None else value
  return statistics.write(statistics.Number(value), form)


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws errors against T and against time, one column a network."""
  curves = collect_curves(lines)
  networks = list(dict.fromkeys(network for network, *_ in curves))
  cells = list(itertools.product(_ROWS, networks))
  fig, axes = figures.make(len(cells), len(networks), 2.6, sharey=True)
  for panel, ((abscissa, name, title), network) in zip(axes, cells):
    for key, curve in curves.items():
      if key[0] == network and key[2] in _LINES:
        _plot(panel, key, curve, abscissa, name)
    panel.axhline(TARGET_ERROR, color=figures.BLACK, linewidth=0.8, alpha=0.4)
    figures.set_log(panel.yaxis)
    panel.set_ylabel(figures.ERROR_LABEL)
    figures.set_panel_title(panel, f'{network}: {title}')
    if abscissa == 'num_steps':
      figures.set_steps(panel, curve.index[::2])
    else:
      panel.set_xlabel('time, relative to a step of BP')
      figures.set_log(panel.xaxis)
  figures.finish(
    fig,
    axes,
    titles.title(lines['dataset'].iloc[0]),
    'error of one update, with spikes in all passes or in the update only: '
    'mean ± standard deviation over samples of the spikes; horizontal line: '
    f'an error of {TARGET_ERROR:g}',
  )
  return fig


def _plot(axes, key, curve, abscissa, name):
  _, sampler, window = key
  index = list(POWERS).index(sampler)
  axes.errorbar(
    curve[abscissa],
    curve[name],
    curve[f'{name}_sd'],
    color=figures.COLORS[index],
    marker=figures.MARKERS[index],
    markersize=3.5,
    linewidth=1.2,
    linestyle=_LINES[window],
    label=f'{figures.TRAINS[sampler]}, n = {window}',
  )


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes powers of T and the cost of the target error at n = 32.

  `discrete` has spikes in the update only; `cost_ratio` is Bernoulli over
  Sobol trains.
  """
  found = {}
  curves = collect_curves(records['fashion_mnist'])
  for (network, sampler, window), curve in curves.items():
    if window != _TIMED_WINDOW:
      continue
    prefix = 'two_hidden_' if network.count('-') == 3 else ''
    name = prefix + sampler.replace('bernoulli', 'random')
    steps, cost = find_target(curve)
    found |= {
      f'{name}_target_ticks': steps,
      f'{name}_target_bp_steps': cost,
      f'{name}_power': fit(curve['error'])[0],
      f'{name}_discrete_power': fit(curve['quantisation_error'])[0],
    }
  for prefix in ('', 'two_hidden_'):
    random = found[f'{prefix}random_target_bp_steps']
    sobol = found[f'{prefix}sobol_target_bp_steps']
    found[f'{prefix}cost_ratio'] = random / sobol
  return {name: statistics.Number(value) for name, value in found.items()}


STUDY = Study(
  question=(
    "How far is the update of one batch from BP's gradient, and what does a "
    'smaller error cost?'
  ),
  commands={
    'fashion_mnist': (
      'python -m experiments.measurements.fidelity --dataset=fashion_mnist',
      f'{_TIMED}sobol',
      f'{_TIMED}bernoulli',
    ),
  },
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'With spikes in the update only, the update error of Sobol '
      'trains falls as T to a power of -1 ± 0.1 from 16 ticks on.',
      ('sobol_discrete_power', 'two_hidden_sobol_discrete_power'),
      above=-1.1,
      below=-0.9,
      unit='power of T',
    ),
    Claim(
      'On a CPU, Bernoulli trains need at least 4 times as many steps of BP as '
      'Sobol trains for an update error of 0.25.',
      ('cost_ratio', 'two_hidden_cost_ratio'),
      above=4,
      unit='times',
    ),
  ),
  text="""
The error is the root mean square distance of the update of one batch of `128`
from the gradient of BP, relative to the gradient, over all weights and `8`
draws of the spikes, at the weights of the ANN after `400` steps on
Fashion-MNIST. n is the window. Times are those of a learning step at n = `32`
on two CPU cores.

With Sobol trains an error of a quarter of the gradient takes
{sobol_target_ticks:.0f} ticks and {sobol_target_bp_steps:.1f} steps of BP, with
Bernoulli trains {random_target_ticks:.0f} ticks and
{random_target_bp_steps:.1f} steps. With two hidden layers these are
{two_hidden_sobol_target_ticks:.0f} and
{two_hidden_random_target_ticks:.0f} ticks.

With spikes in the update only, the error of Bernoulli trains is predicted to
fall as T to the power `-1/2` (measured: {random_discrete_power:.3f}), and the
error of Sobol trains to `-1` up to logarithms (measured:
{sobol_discrete_power:.2f} and, with two hidden layers,
{two_hidden_sobol_discrete_power:.2f}). With spikes throughout, a noisy
potential near a kink of the firing function opens or shuts a gate wrongly, an
error that falls with half this power. The two errors add in quadrature, so that
the measured powers, {random_power:.2f} and {sobol_power:.2f} at n = 32, are
between the predicted powers. Fits start at 16 ticks; ± is their standard error.
""",
)
