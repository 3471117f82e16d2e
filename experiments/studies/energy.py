"""Energy of inference and learning on a chip, compared with digital BP."""

from experiments.analysis import comparisons
from experiments.analysis import energy
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep
from ssnn_jax.training.activity import Activity

_STEPS = (4, 16, 64, 256)
_GRID = {'num_steps': _STEPS, 'sampler': ('bernoulli', 'sobol')}
_TABLES = ('crossbar', 'loihi')


def _table(runs):
  """Lists counts of events, then their energies with each table."""
  tables = {n: energy.table(energy.add_energies(runs, n)) for n in _TABLES}
  priced = [name for name in tables['crossbar'] if name.endswith(('nJ', 'mJ'))]
  spiking = tables['crossbar']['method'] != methods.ANN
  counts = tables['crossbar'][spiking].drop(columns=['accuracy', *priced])
  fields = [name for name in counts if name in frames.FIELDS]
  titled = {'Counts of a sample, inference / learning': counts}
  for name, table in tables.items():
    title = f'Energies of {name}, inference / learning'
    titled[title] = table[[*fields, 'accuracy', *priced]]
  return grid_table.set_titles(titled)


def _draw(runs):
  first, *others = _TABLES
  return energy.draw(
    energy.add_energies(runs, first),
    first,
    **{name: energy.add_energies(runs, name) for name in others},
  )


def _numbers(records):
  """Computes energies with low-discrepancy trains, in nJ and relative to BP."""
  found = {}
  for table in _TABLES:
    runs = energy.add_energies(comparisons.join(records), table)
    runs = frames.select(runs, method='ssnn', sampler='sobol')
    found |= comparisons.numbers(
      runs,
      f'{{dataset}}_{table}_learning_t{{num_steps}}',
      {'': comparisons.mean('learning_nj')},
    ) | comparisons.numbers(
      runs,
      f'{{dataset}}_{table}_{{metric}}_t{{num_steps}}_over_bp',
      {
        'inference': comparisons.mean('inference_over_bp'),
        'learning': comparisons.mean('learning_over_bp'),
      },
    )
  return found


STUDY = Study(
  question=(
    'Does learning by spikes need less energy than digital backpropagation?'
  ),
  sweeps={
    'digits': (Sweep(_GRID),),
    'fashion_mnist': (Sweep(_GRID),),
  },
  curves=Activity._fields,
  table=_table,
  figure=_draw,
  numbers=_numbers,
  text="""
Nothing here is measured on hardware. Counts of spikes, synaptic events, reads
and pulses are computed from the activity of 128 training samples after each
epoch (`ssnn_jax.hardware.cost`), and multiplied by energies from the
literature: the table `crossbar` has analog arrays, `loihi` a digital
neuromorphic chip; their files name the source of each energy and its limits.
Backpropagation (BP) uses 32-bit digital arithmetic, and reads one word from a
small memory for each multiplication.

Numbers are for one presentation of one sample, a / b for inference / learning:
inference with the trained network, learning as a mean over epochs.

On crossbars, learning Fashion-MNIST takes
{fashion_mnist_crossbar_learning_t16:.0f} nJ a sample with 16 ticks, which is
{fashion_mnist_crossbar_learning_t16_over_bp:.1%} of BP; with 256 ticks it is
{fashion_mnist_crossbar_learning_t256_over_bp:.0%}. On the digital chip,
inference takes {fashion_mnist_loihi_inference_t4_over_bp:.0f} times the energy
of BP with 4 ticks and {fashion_mnist_loihi_inference_t256_over_bp:.0f} times
with 256: the advantage of crossbars is due to computing in memory, not to
spikes. Energy is nearly proportional to T, while accuracy saturates.
""",
)
