"""Real time, all layers at once, compared with the buffered simulation."""

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import energy
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep

_TIMINGS = ('realtime', 'buffered')
_SIZES = {
  'digits': (64, 256, 10),
  'fashion_mnist': (784, 256, 10),
  'n_mnist': (2312, 256, 10),
}
_WAYS = (
  'realtime',
  'realtime_counting',
  'buffered',
  'bp',
  'feedback_alignment',
  'surrogate',
)
_METRICS = {
  '': comparisons.minus(),
  '_by_potential': comparisons.minus('test_accuracy_potential'),
  '_by_ann': comparisons.minus('test_accuracy_rate'),
  '_error': comparisons.mean('update_error'),
  '_cosine': comparisons.over_epochs('update_cosine'),
}
_READOUTS = ('', '_by_potential', '_by_ann')
_PANELS = {
  figures.difference_label('test_accuracy_potential'): _METRICS[
    '_by_potential'
  ],
  figures.ERROR_LABEL: _METRICS['_error'],
}


def _make_sweeps(lengths, windows, num_seeds=5, timings=_TIMINGS, **base):
  """Makes a sweep of each timing; in real time votes start with the winners."""
  grid = {'num_steps': lengths, 'window': windows}
  settle = {'buffered': {}, 'realtime': {'settle': 0}}
  return tuple(
    Sweep(grid, num_seeds, base | {'timing': timing} | settle[timing])
    for timing in timings
  )


def _select_wide(runs):
  """Selects the networks with the default number of hidden neurons."""
  return runs[runs['layer_sizes'].isna()]


def _select_compared(runs):
  """Selects real time with windows of one tick, and the fast simulation.

  The fast simulation is the buffered form without a window of its own.
  """
  wide = _select_wide(runs)
  is_fast = (wide['timing'] == 'buffered') & wide['window'].isna()
  is_realtime = (wide['timing'] == 'realtime') & (wide['window'] == 1)
  return wide[is_fast | is_realtime]


def _table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Compares networks, and the memory of ways to learn."""
  metrics = {
    'minus ANN, final potential': _METRICS['_by_potential'],
    'cosine, last epoch': _METRICS['_cosine'],
  }
  sizes = _SIZES[frames.field(runs, 'dataset')]
  stored = energy.compare_memory(sizes, num_steps=64)
  priced = energy.table(
    energy.add_energies(_select_compared(runs), 'crossbar', last_epoch=True)
  ).drop(columns='accuracy')
  titled = {
    'On crossbars, in the last epoch, inference / learning': priced,
    'Memory of a sample, T = 64': energy.write_memory(stored),
  }
  return comparisons.table(runs, metrics) + grid_table.set_titles(titled)


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy and update error against the window, or against T."""
  runs = _select_wide(runs)
  windows, is_ann = runs['window'], runs['method'] == methods.ANN
  if windows.nunique() == 1:
    named = runs.assign(curve=runs['timing'].replace('realtime', 'real time'))
    return figures.draw(named, 'num_steps', 'curve', _PANELS)
  runs = runs[windows.notna() | is_ann]
  timing = runs['timing'].replace('realtime', 'real time')
  labels = timing + ', T = ' + runs['num_steps'].map(str)
  named = runs.assign(curve=labels)
  return figures.draw(named, 'window', 'curve', _PANELS)


def _numbers(records):
  """Compares real time with the ANN and with the buffered form."""
  runs = comparisons.join(records)
  wide, narrow = _select_wide(runs), runs[runs['layer_sizes'].notna()]
  name = '{dataset}_{timing}_t{num_steps}_n{window}{metric}'
  found = comparisons.numbers(wide, name, _METRICS)
  compared = frames.split_baseline(_select_compared(runs))[1]
  simulated = compared[compared['timing'] == 'buffered']['dataset']
  compared = compared[compared['dataset'].isin(set(simulated))]
  readouts = {k: v for k, v in _METRICS.items() if k in _READOUTS}
  found |= comparisons.numbers(
    compared,
    '{dataset}_{timing}_minus_fast_t{num_steps}{metric}',
    readouts,
    timing='buffered',
  ) | comparisons.numbers(
    energy.add_energies(compared, 'crossbar', last_epoch=True),
    '{dataset}_{timing}_{metric}_t{num_steps}',
    energy.METRICS,
  )
  found |= comparisons.numbers(
    frames.split_baseline(narrow)[1],
    'narrow_{timing}_error_ratio_n{window}',
    {'': comparisons.ratio('update_error')},
    timing='buffered',
  )
  return found | _count_memory()


def _count_memory():
  """Counts the kbit that ways of learning store of an image."""
  stored = energy.compare_memory(_SIZES['fashion_mnist'], num_steps=64)
  return {
    f'kbit_{name}': statistics.Number(kbit)
    for name, kbit in zip(_WAYS, stored[energy.TOTAL])
  }


STUDY = Study(
  question='What does it cost to learn in real time, without buffers?',
  sweeps={
    'digits': (
      Sweep({'num_steps': (16, 64, 256)}, base={'probe_every': 20}),
      *_make_sweeps((16,), (1, 2, 4), probe_every=20),
      *_make_sweeps((64,), (1, 2, 4, 8, 16), probe_every=20),
      *_make_sweeps((256,), (1, 4, 16), timings=('realtime',), probe_every=20),
      *_make_sweeps((64, 256), (1,), 20, ('realtime',), probe_every=20),
      *_make_sweeps(
        (64,),
        (1, 8, 16),
        layer_sizes=(64, 32, 10),
        num_epochs=1,
        probe_every=1,
        probe_draws=32,
      ),
    ),
    'fashion_mnist': (
      Sweep({'num_steps': (16, 64, 256)}, base={'probe_every': 10}),
      *_make_sweeps((16,), (1,), 5, ('realtime',), probe_every=10),
      *_make_sweeps((64, 256), (1,), 3, ('realtime',), probe_every=10),
    ),
    'n_mnist': (*_make_sweeps((64,), (1, 8)),),
  },
  curves=('update_cosine',),
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'In real time, with Bernoulli trains of 256 ticks and windows of one '
      'tick, digits accuracy by final potential is within half a point of the '
      'ANN.',
      ('digits_realtime_t256_n1_by_potential',),
      within=0.5,
    ),
    Claim(
      'In real time, windows of 16 ticks increase the update error at T = 64 '
      'by more than a quarter, compared with the buffered form '
      '(digits, 64-32-10).',
      ('narrow_realtime_error_ratio_n16',),
      above=1.25,
      unit='ratio',
    ),
  ),
  text="""
In real time (`--timing=realtime`) all layers advance at once, and neurons store
nothing but their state ([method](../../docs/method.md)). The buffered form, the
fast simulation of all other studies, pairs the trains of one window, which a
chip would have to store. Both use the same random numbers, and are paired.

**Accuracy.** On digits with windows of one tick, real time is
{digits_realtime_t64_n1} points from the ANN at T = 64 with the spike-count
readout, {digits_realtime_t64_n1_by_potential} by final potential, and
{digits_realtime_t64_n1_by_ann} with the ANN readout; at T = 256
{digits_realtime_t256_n1}, {digits_realtime_t256_n1_by_potential} and
{digits_realtime_t256_n1_by_ann}. So the weights are as good, and the
spike-count readout is worse: in the first ticks potentials are noisy. The fast
simulation with windows of 32 ticks has no such reads. Real time differs from it
by {digits_realtime_minus_fast_t64} points at T = 64 and
{digits_realtime_minus_fast_t256} at 256.

On Fashion-MNIST, 10 epochs, real time is {fashion_mnist_realtime_t16_n1} points
from the ANN at T = 16, {fashion_mnist_realtime_t64_n1} at 64 and
{fashion_mnist_realtime_t256_n1} at 256, and
{fashion_mnist_realtime_minus_fast_t16},
{fashion_mnist_realtime_minus_fast_t64} and
{fashion_mnist_realtime_minus_fast_t256} points from the fast simulation: at
T = 256 within half a point, at 64 too close to decide with 3 seeds. With
the ANN readout, the differences to the simulation are
{fashion_mnist_realtime_minus_fast_t16_by_ann},
{fashion_mnist_realtime_minus_fast_t64_by_ann} and
{fashion_mnist_realtime_minus_fast_t256_by_ann}.

**Latency.** Errors reach the first layer after 3 windows. On 64-32-10 at T =
64, the update error is that of the buffered form times
{narrow_realtime_error_ratio_n1:.2f} with windows of one tick,
{narrow_realtime_error_ratio_n8:.2f} with windows of 8 and
{narrow_realtime_error_ratio_n16:.2f} with windows of 16, which leave the first
layer one window with errors; windows of 32 are refused, as they leave none.
Accuracy by final potential is {digits_realtime_t64_n8_by_potential} points from
the ANN with windows of 8, and {digits_realtime_t64_n16_by_potential} with 16.

Recordings of an event camera change with time, and errors meet the events of a
later time: with T = 64 a tick is `4.7` ms. On N-MNIST (1,000 recordings for
training, 100 for test, 5 seeds), real time is {n_mnist_realtime_t64_n1} points
from the ANN with windows of one tick, and {n_mnist_realtime_t64_n8} with
windows of 8, which delay errors by `113` ms; the buffered form is at
{n_mnist_buffered_t64_n1} and {n_mnist_buffered_t64_n8}. So windows must be
short compared with the changes of the inputs.

**Memory.** All ways of learning need the image until the update, and it is
counted for none. Per image of 784-256-10, real time stores the state of its
neurons, {kbit_realtime:.1f} kbit, if coincidences move the weights at once
(`--update_every=window`, which changes accuracy little: [online](online.md)).
The runs of this page move them after the presentation, for which each weight
needs a counter: {kbit_realtime_counting:,.0f} kbit. The buffered form also
stores spikes and gates, {kbit_buffered:,.0f} kbit with its counters.
Backpropagation stores the hidden activations, {kbit_bp:.1f}, and surrogate
gradients the spikes and potentials of all ticks, {kbit_surrogate:.0f}
(`ssnn_jax.hardware.cost`; values have 32 bits, counters 7 or 8). So real time
stores more than backpropagation, a potential and an error current of each
hidden neuron instead of an activation; what it saves are the trains of
surrogate gradients, and inputs that are presented only once, such as those of
an event camera, which all others have to keep for their errors (a column of the
tables). Its state changes in every window: in a digital memory the accesses
would cost more energy than those of backpropagation, while the membrane of an
analog neuron is a capacitor.

**Energy.** In both forms each crossbar is read in every tick in which its layer
works: forward from the tick after that of the layer before, backward from the
first errors. On Fashion-MNIST with 16 ticks of Bernoulli trains, real time
reads crossbars {fashion_mnist_realtime_learning_crossbar_reads_t16:.0f} times
to learn a sample and the fast simulation
{fashion_mnist_buffered_learning_crossbar_reads_t16:.0f} times; priced as
[analog arrays](energy.md), learning in the last epoch takes
{fashion_mnist_realtime_learning_nj_t16:.0f} and
{fashion_mnist_buffered_learning_nj_t16:.0f} nJ.
""",
)
