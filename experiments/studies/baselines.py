"""Other training methods compared with the spiking network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.hardware import cost

_WORD = 32  # bits of a floating-point number
_SWEEPS = (Sweep({'method': tuple(methods.METHODS), 'num_steps': (16, 64)}),)


def count_stored_bits(
  method: str, layer_sizes: Sequence[int], num_steps: int, window: int
) -> int:
  """Counts the bits of a sample stored from the forward pass to its update.

  Weights, and membranes that the next tick overwrites, are not counted. `bp`
  and `rpu` store the inputs of each layer of weights, `surrogate_gradient` the
  spikes of all ticks and the potentials of hidden neurons, `bp_stdp` the spikes
  of a sub-interval, and other methods the spikes and gates that wait for the
  errors of their window.
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
  """Adds seconds per epoch, spikes per sample and stored bits.

  Seconds are the time of the program that trains all seeds, divided by the
  number of seeds. Spikes are of the last epoch, NaN for methods without spikes.
  """
  return runs.join(
    pd.DataFrame(map(_costs, runs.to_dict('records')), index=runs.index)
  )


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
  bits = count_stored_bits(
    run['method'], sizes, run['num_steps'], run['resolved_window']
  )
  seconds = run['run_seconds'] / run['num_epochs']
  return {'epoch_seconds': seconds, **spikes, 'stored_bits': bits}


def _table(runs):
  columns = ('epoch_seconds', 'forward_spikes', 'error_spikes', 'stored_bits')
  metrics = {name.replace('_', ' '): comparisons.mean(name) for name in columns}
  return comparisons.table(add_costs(runs), metrics)


def _draw(runs):
  metrics = {
    'accuracy minus\nANN (points)': comparisons.minus(),
    'time of an epoch,\nrelative to the ANN': comparisons.ratio(
      'epoch_seconds'
    ),
    'stored bits,\nrelative to the ANN': comparisons.ratio('stored_bits'),
  }
  return comparisons.draw(add_costs(runs), 'method', 'num_steps', metrics)


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
the spikes and potentials of all ticks. `bp_stdp` stores least, and is
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
