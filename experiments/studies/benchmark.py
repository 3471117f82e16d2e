"""Time of steps of training and inference in steps of backpropagation."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config import synapses

_BENCHMARK = 'python -m experiments.benchmark'
_LEARN = f'{_BENCHMARK} --names=learn --representations=packed'
_NETWORK = [784, 256, 10]
# Headings of the fields by which lines are grouped.
_HEADINGS = {
  'name': 'step',
  'layer_sizes': 'network',
  'batch_size': 'batch',
  'method': 'method',
  'representation': 'representation',
  'sampler': 'sampler',
  'synapses': 'synapses',
}
_SIZES = ('layer_sizes', 'batch_size')
# Columns that a table has only if a line has another value.
_USUAL = {'method': 'ssnn', 'synapses': synapses.IDEAL}


class _Case(NamedTuple):
  """Lines that differ only in T.

  Attributes:
    labels: the value of each field of `_HEADINGS`.
    baseline: the line of BP that took turns with the lines.
    lines: the lines, by T.
  """

  labels: dict[str, str]
  baseline: dict[str, Any]
  lines: dict[int, dict[str, Any]]


def _cases(lines):
  """Groups lines; each line of BP is the baseline of the lines that follow."""
  grouped, baseline = {}, None
  for line in lines.to_dict('records'):
    if line['method'] == methods.ANN:
      baseline = line
      continue
    labels = {name: _label(line, name) for name in _HEADINGS}
    key = tuple(labels.values())
    case = grouped.setdefault(key, _Case(labels, baseline, {}))
    case.lines[int(line['num_steps'])] = line
  return list(grouped.values())


def _label(line, name):
  value = line.get(name)
  if isinstance(value, list | tuple):
    return '-'.join(map(str, value))
  return _USUAL.get(name, '') if pd.isna(value) else str(value)


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists times of BP and, over T, those of spikes in multiples of BP.

  Args:
    lines: lines of `experiments.benchmark`.

  Returns:
    The table; memory is that of the longest trains.
  """
  cases = _cases(lines)
  all_steps = sorted({t for case in cases for t in case.lines})
  shown = [
    name
    for name in _HEADINGS
    if any(case.labels[name] != _USUAL.get(name) for case in cases)
  ]
  rows = []
  for labels, baseline, own in cases:
    peak = own[max(own)]['peak_mib']
    rows.append(
      {_HEADINGS[name]: labels[name] for name in shown}
      | {'BP, ms': f'{baseline["median_ms"]:.3g}'}
      | {
        f'T = {t}': f'{own[t]["ratio_to_bp"]:.2f}' if t in own else ''
        for t in all_steps
      }
      | {'MiB (BP)': f'{peak:.1f} ({baseline["peak_mib"]:.1f})'}
    )
  return [pd.DataFrame(rows)]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws the time of a step against T, in steps of BP.

  Args:
    lines: lines of `experiments.benchmark`.

  Returns:
    The figure: a panel for training and inference, or for epochs if nothing
    else was timed. It has bars of all cases if there is one T, or else curves
    of the first network and batch size.
  """
  cases = _cases(lines)
  timed = {case.labels['name'] for case in cases}
  names = [name for name in ('learn', 'infer') if name in timed] or ['epoch']
  cases = [case for case in cases if case.labels['name'] in names]
  steps = sorted({t for case in cases for t in case.lines})
  setting = _key(cases[0], _SIZES)
  title = 'time of a step in steps of backpropagation (BP)'
  if len(steps) == 1:
    title = f'T = {steps[0]}: {title}'
    draw_panel, height = _draw_bars, 0.9 + 0.25 * len(cases)
  else:
    title = f'{", ".join(setting)}: {title}'
    cases = [case for case in cases if _key(case, _SIZES) == setting]
    draw_panel, height = _draw_curves, 2.9
  fig, axes = style.make(len(names), height=height)
  for panel, name in zip(axes, names):
    draw_panel(panel, [case for case in cases if case.labels['name'] == name])
    panel.set_title(name, fontsize=style.TITLE)
    panel.grid(alpha=0.3)
  style.legend_below(fig, axes)
  style.set_title(fig, title)
  return fig


def _names(cases):
  """Names cases by the fewest fields that distinguish them."""
  fields = list(_HEADINGS)
  for field in reversed(_HEADINGS):
    others = [name for name in fields if name != field]
    if len({_key(case, others) for case in cases}) == len(cases):
      fields = others
  return [
    ', '.join(_key(case, fields)) or case.labels['method'] for case in cases
  ]


def _key(case, fields):
  prefixes = {'batch_size': 'batch '}
  return tuple(prefixes.get(x, '') + case.labels[x] for x in fields)


def _draw_curves(axes, cases):
  for index, (case, label) in enumerate(zip(cases, _names(cases))):
    lines = sorted(case.lines.items())
    axes.plot(
      [t for t, _ in lines],
      [line['ratio_to_bp'] for _, line in lines],
      color=style.COLORS[index % len(style.COLORS)],
      marker=style.MARKERS[index % len(style.MARKERS)],
      markersize=4 + 4 * (index % 2),  # equal times are both visible
      fillstyle='none',
      label=label,
    )
  axes.axhline(1, color=style.BLACK, linewidth=1, label='BP')
  panels.set_steps(axes, {t for case in cases for t in case.lines})
  axes.set_yscale('log')
  style.set_log(axes.yaxis)
  axes.set_ylabel('time (steps of BP)')


def _draw_bars(axes, cases):
  ratios = [
    line['ratio_to_bp'] for case in cases for line in case.lines.values()
  ]
  axes.barh(range(len(cases)), ratios, color=style.BLUE)
  axes.set_yticks(range(len(cases)), _names(cases))
  axes.set_ylabel('setting')
  axes.invert_yaxis()
  axes.axvline(1, color=style.BLACK, linewidth=1, label='BP')
  axes.set_xlabel('time (steps of BP)')


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes times of steps in steps of BP, and of devices in ideal steps.

  Args:
    records: the lines of each record.

  Returns:
    Times: `learn_t64` and `infer_t64` of packed trains, with `_dense` and
    `_naive` for other representations and `_batch1` for single samples;
    `naive_over_packed_t64`; of methods `epoch_rpu_t64`; of devices
    `reram_over_ideal_batch1`.
  """
  found = {}
  for line in _spiking_lines(records['cpu'], layer_sizes=_NETWORK):
    name, batch = line['name'], line['batch_size']
    if line['representation'] != 'packed':
      name += f'_{line["representation"]}'
    if batch != 128:
      name += f'_batch{batch}'
    found[f'{name}_t{line["num_steps"]:.0f}'] = line['ratio_to_bp']
  for t in (64, 256):
    ratio = found[f'learn_naive_t{t}'] / found[f'learn_t{t}']
    found[f'naive_over_packed_t{t}'] = ratio
  for line in _spiking_lines(records['methods']):
    name = f'epoch_{line["method"]}_t{line["num_steps"]:.0f}'
    found[name] = line['ratio_to_bp']
  for line in _spiking_lines(records['devices']):
    name = f'{line["synapses"]}_over_ideal_batch{line["batch_size"]}'
    found[name] = line['ratio_to_ideal']
  return {name: statistics.Number(value) for name, value in found.items()}


def _spiking_lines(lines, **values):
  _, spiking = frames.split_baseline(lines)
  return frames.select(spiking, **values).to_dict('records')


STUDY = Study(
  question='How many steps of backpropagation does a step by spikes cost?',
  commands={
    'cpu': (
      f'{_BENCHMARK} --num_steps=4,16,64,256,1024 '
      '--representations=packed,dense',
      f'{_BENCHMARK} --num_steps=4,16,64,256 --representations=naive '
      '--rounds=5',
      f'{_BENCHMARK} --num_steps=64,256 --batch_size=1,8 '
      '--representations=packed',
      f'{_BENCHMARK} --layer_sizes=784,800,10 --layer_sizes=784,512,512,10 '
      '--num_steps=64,256 --representations=packed',
      f'{_BENCHMARK} --names=epoch --num_steps=64,256 --representations=packed',
    ),
    'devices': (
      f'{_LEARN} --num_steps=32 --batch_size=1,128 '
      '--devices=gokmen_vlasov,reram,ecram,ecram_mo',
    ),
    'methods': (
      f'{_BENCHMARK} --names=epoch --num_steps=16,64 --representations=packed '
      '--methods=surrogate_gradient,bp_stdp,rpu,feedback_alignment --rounds=5',
    ),
  },
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'On a CPU, a learning step with 64 ticks takes less than 4 steps of BP '
      '(784-256-10, batch 128).',
      ('learn_t64',),
      below=4,
      unit='steps of BP',
    ),
    Claim(
      'On a CPU, naive dense simulation of a learning step takes at least 10 '
      'times as long as packed trains, at T = 64 and 256.',
      ('naive_over_packed_t64', 'naive_over_packed_t256'),
      above=10,
      unit='times',
    ),
    Claim(
      'On a CPU, an epoch of surrogate gradients takes at least 10 times as '
      'long as one of BP, at T = 16 and 64.',
      ('epoch_surrogate_gradient_t16', 'epoch_surrogate_gradient_t64'),
      above=10,
      unit='times',
    ),
  ),
  text="""
Times are medians of `15` rounds (naive and methods: `5`) in which the settings
of a row take turns with backpropagation, on two cores of a server processor
with AVX-512. Images and labels are random, the worst case for spikes. `packed`
holds 32 ticks of a train in a word, `dense` counts coincidences by int8 matrix
products, and `naive` is the naive dense simulation, which draws and multiplies
every tick.

A learning step of 784-256-10 with batches of 128 costs {learn_t16:.1f} steps of
BP at T = 16, {learn_t64:.1f} at T = 64 and {learn_t256:.1f} at T = 256;
inference costs {infer_t16:.1f}, {infer_t64:.1f} and {infer_t256:.1f}. Up to 32
ticks, one word, the cost hardly depends on T. Naive simulation takes
{naive_over_packed_t64:.0f} times as long at T = 64.

An epoch of surrogate gradients costs {epoch_surrogate_gradient_t16:.0f} epochs
of BP at T = 16 and {epoch_surrogate_gradient_t64:.0f} at T = 64, one of `rpu`
{epoch_rpu_t16:.1f} and {epoch_rpu_t64:.1f}. Accuracies are in
[baselines](baselines.md).

Resistive devices cost more at small batches: a step with `gokmen_vlasov` takes
{gokmen_vlasov_over_ideal_batch1:.1f} times a step with ideal synapses at a
batch of 1 and {gokmen_vlasov_over_ideal_batch128:.1f} at 128, with `reram`
{reram_over_ideal_batch1:.1f} and {reram_over_ideal_batch128:.1f}. Steps that
depend on the weight take an exponential and twice the constants. With
`--device=ideal` nothing of this is computed.
""",
)
