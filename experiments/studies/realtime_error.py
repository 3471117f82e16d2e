"""Error of one update in real time, beside the fast simulation."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import figures
from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config import titles

# Timing, membrane and gain of what is compared, by the name of a column.
_WAYS = {
  'fast simulation, n = T': ('buffered', 'mean', 1.0),
  'real time': ('realtime', 'mean', 1.0),
  'ramp': ('realtime', 'ramp', 1.0),
  'gain 2': ('realtime', 'mean', 2.0),
  'ramp, gain 2': ('realtime', 'ramp', 2.0),
}
_BASE = 'real time'
_KEYS = ['network', 'sampler', 'num_steps']


def _pivot(lines):
  """Arranges errors by network, sampler and T, one column a way."""
  networks = lines['layer_sizes'].map(lambda own: '-'.join(map(str, own)))
  names = {way: name for name, way in _WAYS.items()}
  ways = list(
    map(names.get, zip(*map(lines.get, ('timing', 'integration', 'gain'))))
  )
  lines = lines.assign(network=networks, way=ways).dropna(subset=['way'])
  wide = lines.pivot(index=_KEYS, columns='way', values='error')
  order = sorted(wide.index, key=lambda own: (own[0].count('-'), *own))
  return wide.loc[order, list(_WAYS)]


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists errors of real time and of its variants."""
  wide, rows = _pivot(lines), []
  for key, errors in wide.iterrows():
    row = dict(zip(_KEYS, map(str, key)))
    row |= {name: f'{error:.3f}' for name, error in errors.items()}
    rows.append(row)
  return [pd.DataFrame(rows)]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws the error of each network against T, one panel a sampler."""
  wide = _pivot(lines)
  samplers = list(dict.fromkeys(sampler for _, sampler, _ in wide.index))
  fig, axes = figures.make(len(samplers), len(samplers), 3.0, sharey=True)
  for panel, sampler in zip(axes, samplers):
    own = wide.xs(sampler, level='sampler')
    networks = dict.fromkeys(network for network, _ in own.index)
    for color, network in zip(figures.COLORS, networks):
      for line, name in zip(('--', '-', ':'), _WAYS):
        curve = own.loc[network, name]
        panel.plot(
          curve.index,
          curve,
          line,
          color=color,
          marker='.',
          label=f'{network}, {name}',
        )
    figures.set_log(panel.yaxis)
    panel.set_ylabel(figures.ERROR_LABEL)
    figures.set_steps(panel, own.index.levels[1])
    figures.set_panel_title(panel, figures.TRAINS[sampler])
  figures.finish(
    fig,
    axes,
    titles.title(lines['dataset'].iloc[0]),
    "error of one update: root-mean-square distance from BP's gradient",
  )
  return fig


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Returns the ratios of errors to those of real time with gain 1."""
  found = {}
  for key, errors in _pivot(records['fashion_mnist']).iterrows():
    network, sampler, num_steps = key
    prefix = f'{sampler}_l{network.count("-")}_t{num_steps}'
    for name, error in errors.items():
      key = name.replace(', n = T', '').replace(', ', '_').replace(' ', '_')
      found[f'{prefix}_{key}'] = error / errors[_BASE]
  for key in ('t16_ramp', 't64_ramp', 't16_gain_2', 't64_gain_2'):
    ratios = [n for name, n in found.items() if name.endswith(f'_{key}')]
    found |= {f'smallest_{key}': min(ratios), f'largest_{key}': max(ratios)}
  return {name: statistics.Number(float(n)) for name, n in found.items()}


STUDY = Study(
  question='How far is the update of real time from the gradient, and why?',
  commands={
    'fashion_mnist': (
      'python -m experiments.measurements.fidelity --dataset=fashion_mnist '
      '--hidden_sizes=256 --hidden_sizes=128,128 '
      '--hidden_sizes=128,128,128,128 --num_steps=16,64 --windows=0 '
      '--timings=buffered,realtime --integrations=mean,ramp --gains=1,2',
    ),
  },
  table=table,
  figure=draw,
  numbers=numbers,
  text="""
The error is the root mean square distance of the update of one batch of `128`
from the gradient of BP, relative to the gradient, over all weights and `8`
draws of the spikes, at the weights of the ANN after `400` steps on
Fashion-MNIST. Real time has windows of one tick; the fast simulation has one
window, within which a spike knows the inputs of later ticks.

With the ramp membrane (`--integration=ramp`), which weighs later ticks more,
the error is {smallest_t16_ramp:.2f} to {largest_t16_ramp:.2f} of that with the
mean membrane at T = 16, and {smallest_t64_ramp:.2f} to
{largest_t64_ramp:.2f} at
T = 64; deep networks gain most, whose first spikes know least. With a gain of 2
(`--gain=2`) a hidden neuron sends two error spikes for a unit of error, each of
which counts half: the error is {smallest_t16_gain_2:.2f} to
{largest_t16_gain_2:.2f} of that with a gain of 1 at T = 16. At T = 64 it is
{smallest_t64_gain_2:.2f} to {largest_t64_gain_2:.2f}: errors above a half
saturate, and with three layers of weights this bias is larger than the noise
that is saved.
""",
)
