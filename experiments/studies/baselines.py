"""Other training methods compared with the spiking network."""

import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import energy
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep
import ssnn_jax

METHODS = tuple(name for name in methods.MINIBATCH if name != 'relu')
_SWEEPS = (Sweep({'method': METHODS, 'num_steps': (16, 64)}),)


def add_costs(runs: pd.DataFrame) -> pd.DataFrame:
  """Adds seconds per epoch, spikes per sample and stored bits.

  Seconds are the time of the program that trains all seeds, divided by the
  number of seeds. Spikes are of the last epoch, NaN for methods without spikes.
  Bits are those of `ssnn_jax.hardware.cost`.
  """
  costs = pd.DataFrame(map(_costs, runs.to_dict('records')), index=runs.index)
  # Records of older versions have no stored bits.
  return runs.drop(columns='stored_bits', errors='ignore').join(costs)


def _costs(run):
  sizes = run['resolved_layer_sizes']
  spikes = {}
  for name, rates, own in (
    ('forward_spikes', 'firing_rates', sizes[:-1]),
    ('error_spikes', 'error_rates', sizes[1:]),
  ):
    is_counted = run['method'] != methods.ANN and rates in run['curves']
    last = run['curves'][rates][-1] if is_counted else np.full(len(own), np.nan)
    spikes[name] = run['num_steps'] * float(np.dot(last, own))
  options = {name: run[name] for name in ('num_steps', 'timing', 'dropout')}
  network = ssnn_jax.NetworkConfig(
    sizes, window=run['resolved_window'], **options
  )
  bits = methods.count_stored_bits(run['method'], network)
  seconds = run['run_seconds'] / run['num_epochs']
  return {'epoch_seconds': seconds, **spikes, 'stored_bits': bits}


def _select_priced(runs):
  """Adds the energies of the last epoch to methods that have them."""
  priced = runs[runs['method'].isin((methods.ANN, *energy.METHODS))]
  return energy.add_energies(priced, 'crossbar', last_epoch=True)


def _table(runs):
  columns = ('epoch_seconds', 'forward_spikes', 'error_spikes', 'stored_bits')
  metrics = {name.replace('_', ' '): comparisons.mean(name) for name in columns}
  priced = energy.table(_select_priced(runs)).drop(columns='accuracy')
  titled = {'On one crossbar, in the last epoch, inference / learning': priced}
  return comparisons.table(add_costs(runs), metrics) + grid_table.set_titles(
    titled
  )


def _draw(runs):
  metrics = {
    figures.difference_label(): comparisons.minus(),
    'time of an epoch,\nrelative to the ANN': comparisons.ratio(
      'epoch_seconds'
    ),
    'stored bits,\nrelative to the ANN': comparisons.ratio('stored_bits'),
  }
  return figures.draw(add_costs(runs), 'method', 'num_steps', metrics)


def _numbers(records):
  joined = comparisons.join(records)
  runs, numbers = add_costs(joined), comparisons.numbers
  name = '{dataset}_{method}_{metric}_t{num_steps}'
  metrics = {
    'minus_ann': comparisons.minus(),
    'bits_over_bp': comparisons.ratio('stored_bits'),
  }
  others = frames.split_baseline(runs)[1]
  minus_ssnn = {'minus_ssnn': comparisons.minus()}
  priced = frames.split_baseline(_select_priced(joined))[1]
  over_rpu = {'over_rpu': comparisons.ratio('learning_nj')}
  return (
    numbers(runs, name, metrics)
    | numbers(others, name, minus_ssnn, method='ssnn')
    | numbers(priced, name, energy.METRICS)
    | numbers(priced, name, over_rpu, method='rpu')
  )


STUDY = Study(
  question=(
    'How do accuracy, time and memory compare with other training methods?'
  ),
  sweeps={'digits': _SWEEPS, 'fashion_mnist': _SWEEPS},
  curves=('firing_rates', 'error_rates'),
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'At T = 16 and 64, fixed random feedback is less accurate on '
      'Fashion-MNIST than the transposed read.',
      tuple(
        f'fashion_mnist_feedback_alignment_minus_ssnn_t{t}' for t in (16, 64)
      ),
      below=0,
    ),
  ),
  text="""
All methods (`--method`) have equal initial weights, data order, schedule and
regularization; learning rates are [tuned](tuning.md).

| method | forward | errors | update |
|---|---|---|---|
| `bp` | floats | floats | floats |
| `ssnn` | spikes | spikes, transposed read | coincidences |
| `feedback_alignment` | spikes | spikes, fixed random read | coincidences |
| `rpu` | floats | floats | coincidences of pulses |
| `surrogate_gradient` | spikes | floats, back through time | floats |
| `bp_stdp` | spikes | signs at the output, then floats | STDP |

On Fashion-MNIST with 64 ticks, the spiking network is
{fashion_mnist_rpu_minus_ssnn_t64:abs .1f} points below `rpu`: the cost of
spikes forward and backward. Fixed random feedback saves the transposed read and
loses {fashion_mnist_feedback_alignment_minus_ssnn_t64:abs .1f} points.
Surrogate gradients are {fashion_mnist_surrogate_gradient_minus_ssnn_t16} points
from the spiking network with 16 ticks and
{fashion_mnist_surrogate_gradient_minus_ssnn_t64} with 64; their learning rate
was tuned at T = 16. With 64 ticks they store
{fashion_mnist_surrogate_gradient_bits_over_bp_t64:.0f} times the bits of BP,
the spikes and potentials of all ticks. In the fast simulation the spiking
network stores more: a counter of coincidences at each weight, besides spikes
and gates that wait for their errors; in real time with updates at once it needs
none of these ([realtime](realtime.md)). Inputs are counted for no method
(`ssnn_jax.hardware.cost`). `bp_stdp` has a sum at each weight as well, and is
{fashion_mnist_bp_stdp_minus_ann_t64:abs .1f} points below the ANN: its output
errors have signs but no magnitudes.

**On one crossbar**, priced alike ([energy](energy.md)), `rpu` is the nearest
comparison: exact values in both reads, and pulses as in `ssnn`. To learn a
sample of Fashion-MNIST in the last epoch with T = 16, `rpu` reads crossbars
{fashion_mnist_rpu_learning_crossbar_reads_t16:.0f} times and `ssnn`
{fashion_mnist_ssnn_learning_crossbar_reads_t16:.0f} times; they write
{fashion_mnist_rpu_update_pulses_t16:,.0f} and
{fashion_mnist_ssnn_update_pulses_t16:,.0f} pulses from
{fashion_mnist_rpu_learning_random_bits_t16:,.0f} and
{fashion_mnist_ssnn_learning_random_bits_t16:,.0f} random bits
({fashion_mnist_rpu_learning_shared_random_bits_t16:,.0f} and
{fashion_mnist_ssnn_learning_shared_random_bits_t16:,.0f} if neurons share
words), and take {fashion_mnist_rpu_learning_nj_t16:.0f} and
{fashion_mnist_ssnn_learning_nj_t16:.0f} nJ; with T = 64
{fashion_mnist_rpu_learning_nj_t64:.0f} and
{fashion_mnist_ssnn_learning_nj_t64:.0f} nJ. Inference by `rpu` takes two reads
and no random bits. So spikes in both reads cost energy as well as accuracy;
what they save are converters between values and the array, which the price of a
read includes for both.

Spikes are per training sample in the last epoch; in `rpu` only the update has
spikes. Seconds are the time of a program that trains all seeds, divided by the
number of seeds; [benchmark](benchmark.md) times methods alternately.

`rpu` is the update of Gokmen and Vlasov (2016). `surrogate_gradient` has the
defaults of snnTorch (threshold `1`, reset by subtraction, arctangent) and
`--tau` for all membranes. `bp_stdp` follows Tavanaei and Maida (2019), with
sub-intervals of four ticks, biases, and an update once a batch.
""",
)
