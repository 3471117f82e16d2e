"""Other methods of training compared with the spiking network."""

from collections.abc import Mapping
from collections.abc import Sequence

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.hardware import cost

_WORD = 32  # bits of a number that is not a spike
_SWEEPS = (Sweep({'method': tuple(methods.METHODS), 'num_steps': (16, 64)}),)


def count_stored_bits(
  method: str, layer_sizes: Sequence[int], num_steps: int, window: int
) -> int:
  """Counts the bits of a sample stored from the forward pass to its update.

  A spike is a bit and any other number 32 of them. Weights, and membranes that
  the next tick overwrites, are not counted.

    bp, rpu: inputs of each layer of weights, as numbers; gates follow.
    surrogate_gradient: at each tick the inputs of each layer, as spikes, and
      the potential of each hidden neuron.
    bp_stdp: the spikes of a sub-interval.
    ssnn, feedback_alignment: spikes that wait for the errors of their window,
      and gates (`cost.count_delay_bits`).

  Args:
    method: the method.
    layer_sizes: neurons of each layer.
    num_steps: T.
    window: n, ticks between reads of a membrane.

  Returns:
    The number of bits.
  """
  sending, hidden = sum(layer_sizes[:-1]), sum(layer_sizes[1:-1])
  if method in (methods.ANN, 'rpu'):
    return _WORD * sending
  if method == 'surrogate_gradient':
    return num_steps * (sending + _WORD * hidden)
  if method == 'bp_stdp':
    return min(num_steps, bp_stdp.SUB_INTERVAL) * sending
  return cost.count_delay_bits(layer_sizes, window)


def add_costs(runs: pd.DataFrame) -> pd.DataFrame:
  """Adds columns of costs to runs.

  Args:
    runs: runs of any methods.

  Returns:
    The runs with `epoch_seconds`, the share of a run in an epoch of the program
    that trains all seeds; `forward_spikes` and `error_spikes` of a training
    sample in the last epoch, NaN for methods without them; and `stored_bits`.
  """

  def spikes(run, name, sizes):
    if run['method'] == methods.ANN or name not in run['curves']:
      return np.nan
    return run['num_steps'] * float(np.dot(run['curves'][name][-1], sizes))

  rows = []
  for run in runs.to_dict('records'):
    sizes = run['resolved_layer_sizes']
    rows.append(
      {
        'epoch_seconds': run['run_seconds'] / run['num_epochs'],
        'forward_spikes': spikes(run, 'firing_rates', sizes[:-1]),
        'error_spikes': spikes(run, 'error_rates', sizes[1:]),
        'stored_bits': count_stored_bits(
          run['method'], sizes, run['num_steps'], run['resolved_window']
        ),
      }
    )
  return runs.join(pd.DataFrame(rows, index=runs.index))


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists accuracy, time, spikes and memory, one row a method and T."""
  runs = add_costs(runs)
  counts = {
    'forward spikes': 'forward_spikes',
    'error spikes': 'error_spikes',
    'stored bits': 'stored_bits',
  }
  rows = []
  for setting in frames.settings(runs):
    ann = frames.find_baseline(setting, runs)
    is_ann = frames.field(setting, 'method') == methods.ANN
    cells = dict.fromkeys(('minus ANN (95 %)', 'read as ANN', 'of BP'), '')
    if not is_ann:
      cells['read as ANN'] = _write_percent(setting, 'test_accuracy_rate')
    if not is_ann and ann is not None:
      difference = statistics.paired_difference(setting, ann)
      cells['minus ANN (95 %)'] = statistics.write(difference)
      ratio = statistics.ratio(setting, ann, 'epoch_seconds')
      cells['of BP'] = f'{ratio.mean:.1f}'
    rows.append(
      {
        'method': frames.field(setting, 'method'),
        'T': '' if is_ann else str(frames.field(setting, 'num_steps')),
        'accuracy': _write_percent(setting, 'test_accuracy'),
        'minus ANN (95 %)': cells['minus ANN (95 %)'],
        'read as ANN': cells['read as ANN'],
        'seconds an epoch': f'{setting["epoch_seconds"].mean():.3g}',
        'of BP': cells['of BP'],
      }
      | {
        heading: statistics.write(statistics.over_seeds(setting, name), ',.0f')
        for heading, name in counts.items()
      }
      | {'seeds': str(len(setting))}
    )
  return [pd.DataFrame(rows)]


def _write_percent(setting, metric):
  return statistics.write(statistics.percent(setting, metric))


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy, time and memory of each method, a colour for each T."""
  runs = add_costs(runs)
  ann, others = frames.split_baseline(runs)
  names = [name for name in methods.METHODS if name in set(others['method'])]
  fig, axes = style.make(3, sharex=True)
  accuracies, seconds, bits = axes
  steps = sorted(set(others['num_steps']))
  for index, t in enumerate(steps):
    settings = frames.settings(frames.select(others, num_steps=t))
    shift = 0.2 * (index - (len(steps) - 1) / 2)
    places = [names.index(frames.field(x, 'method')) + shift for x in settings]
    look = {
      'color': style.COLORS[index],
      'marker': style.MARKERS[index],
      'linestyle': 'none',
      'label': f'T = {t}',
    }
    plot = panels.plot_settings
    plot(accuracies, places, settings, 'test_accuracy', 100, **look)
    plot(seconds, places, settings, 'epoch_seconds', **look)
    plot(bits, places, settings, 'stored_bits', **look)
  panels.plot_across(accuracies, ann, 'ANN (BP)')
  accuracies.set_ylabel(panels.label_accuracy(runs))
  _label_cost(seconds, ann['epoch_seconds'], 'training time\nof an epoch (s)')
  _label_cost(
    bits, ann['stored_bits'], 'stored for a sample\nuntil its update (bits)'
  )
  for panel in axes:
    panel.set_xticks(range(len(names)), names, rotation=30, ha='right')
    panel.grid(alpha=0.3)
  axes[-1].set_xlabel('method')
  style.legend_below(fig, axes[:1])
  style.set_title(
    fig,
    style.dataset_name(frames.field(runs, 'dataset')),
    panels.describe_bars(runs),
  )
  return fig


def _label_cost(axes, ann_costs, label):
  """Draws the cost of the ANN, and labels a logarithmic ordinate."""
  axes.axhline(ann_costs.mean(), color=style.BLACK, linewidth=1)
  axes.set_yscale('log')
  style.set_log(axes.yaxis)
  axes.set_ylabel(label)


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Compares methods with the ANN and with the spiking network, in points."""
  found = {}
  for record, runs in records.items():
    runs = add_costs(runs)
    ann, others = frames.split_baseline(runs)
    found[f'{record}_ann'] = statistics.percent(ann)
    for setting in frames.settings(others):
      method, t = (frames.field(setting, x) for x in ('method', 'num_steps'))
      name = f'{record}_{method}'
      ssnn = frames.select(others, method='ssnn', num_steps=t)
      difference = statistics.paired_difference
      found[f'{name}_t{t}'] = statistics.percent(setting)
      found[f'{name}_minus_ann_t{t}'] = difference(setting, ann)
      found[f'{name}_minus_ssnn_t{t}'] = difference(setting, ssnn)
      bits = statistics.ratio(setting, ann, 'stored_bits')
      found[f'{name}_bits_over_bp_t{t}'] = bits
  return found


STUDY = Study(
  question=(
    'How do accuracy, time and memory compare with those of other methods of '
    'training?'
  ),
  sweeps={'digits': _SWEEPS, 'fashion_mnist': _SWEEPS},
  curves=('firing_rates', 'error_rates'),
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'At T = 16 and 64, fixed random feedback is less accurate on '
      'Fashion-MNIST than the transposed read.',
      tuple(
        f'fashion_mnist_feedback_alignment_minus_ssnn_t{t}' for t in (16, 64)
      ),
      below=0,
    ),
    Claim(
      'At T = 64, surrogate gradients with a learning rate tuned at T = 16 are '
      'less accurate on Fashion-MNIST than the spiking network.',
      ('fashion_mnist_surrogate_gradient_minus_ssnn_t64',),
      below=0,
    ),
  ),
  text="""
All methods (`--method`) have equal initial weights, data order, schedule and
regularization; learning rates are [tuned](tuning.md).

| method | forward | errors | update |
|---|---|---|---|
| `bp` | numbers | numbers | numbers |
| `ssnn` | spikes | spikes, transposed read | coincidences |
| `feedback_alignment` | spikes | spikes, fixed random read | coincidences |
| `rpu` | numbers | numbers | coincidences of pulses |
| `surrogate_gradient` | spikes | numbers, back through time | numbers |
| `bp_stdp` | spikes | signs, then numbers | STDP |

On Fashion-MNIST `rpu`, of which only the update is discrete, is closest to the
ANN. The spiking network is {fashion_mnist_rpu_minus_ssnn_t16:abs .1f} points
below `rpu` with 16 ticks and {fashion_mnist_rpu_minus_ssnn_t64:abs .1f} with
64: the cost of spikes forward and backward. Fixed random feedback saves the
transposed read and loses
{fashion_mnist_feedback_alignment_minus_ssnn_t16:abs .1f} and
{fashion_mnist_feedback_alignment_minus_ssnn_t64:abs .1f} points. Surrogate
gradients are {fashion_mnist_surrogate_gradient_minus_ssnn_t16} points from the
spiking network with 16 ticks and
{fashion_mnist_surrogate_gradient_minus_ssnn_t64} with 64; their learning rate
was tuned at T = 16, and at T = 64 a smaller one may be better. They store
{fashion_mnist_surrogate_gradient_bits_over_bp_t16:.0f} and
{fashion_mnist_surrogate_gradient_bits_over_bp_t64:.0f} times the bits of BP.
They store the spikes and potentials of all ticks, `ssnn` the spikes that wait
for the errors of their window, `rpu` inputs and activations. `bp_stdp` stores
least, the spikes of four ticks, and is
{fashion_mnist_bp_stdp_minus_ann_t16:abs .1f} and
{fashion_mnist_bp_stdp_minus_ann_t64:abs .1f} points below the ANN: its errors
have signs but no sizes.

Spikes are those of a training sample in the last epoch, by inputs and hidden
neurons (forward) and as errors; in `rpu` only the update has spikes. With
windows of one tick `ssnn` would store `3,120` bits on Fashion-MNIST. Seconds
are the share of a run in a program that trains five seeds, on two cores that
had other work too; [benchmark](benchmark.md) times methods in turns.

`rpu` is the update of Gokmen and Vlasov (2016). `surrogate_gradient` has the
defaults of snnTorch (threshold `1`, reset by subtraction, arctangent) and
`--tau` for all membranes; its output does not spike and is read as the mean
over ticks. `bp_stdp` follows Tavanaei and Maida (2019), with sub-intervals of
four ticks and thresholds of `0.9` and `0.025` for each hidden neuron; other
than there, input trains have up to a spike a tick, initial weights have
variance 1 / fan-in, there are biases, and weights change once a batch.
""",
)
