"""Other training methods compared with the spiking network."""

import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
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


def _table(runs):
  columns = ('epoch_seconds', 'forward_spikes', 'error_spikes', 'stored_bits')
  metrics = {name.replace('_', ' '): comparisons.mean(name) for name in columns}
  return comparisons.table(add_costs(runs), metrics)


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
  runs = add_costs(comparisons.join(records))
  name = '{dataset}_{method}_{metric}_t{num_steps}'
  metrics = {
    'minus_ann': comparisons.minus(),
    'bits_over_bp': comparisons.ratio('stored_bits'),
  }
  return comparisons.numbers(runs, name, metrics) | comparisons.numbers(
    frames.split_baseline(runs)[1],
    name,
    {'minus_ssnn': comparisons.minus()},
    method='ssnn',
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
the spikes and potentials of all ticks. The spiking network stores the state of
its neurons, and spikes and gates that wait for the errors of their window
(`ssnn_jax.hardware.cost`). `bp_stdp` stores least, and is
{fashion_mnist_bp_stdp_minus_ann_t64:abs .1f} points below the ANN: its output
errors have signs but no magnitudes.

Spikes are per training sample in the last epoch; in `rpu` only the update has
spikes. Seconds are the time of a program that trains all seeds, divided by the
number of seeds; [benchmark](benchmark.md) times methods alternately.

`rpu` is the update of Gokmen and Vlasov (2016). `surrogate_gradient` has the
defaults of snnTorch (threshold `1`, reset by subtraction, arctangent) and
`--tau` for all membranes. `bp_stdp` follows Tavanaei and Maida (2019), with
sub-intervals of four ticks, biases, and an update once a batch.
""",
)
