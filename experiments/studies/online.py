"""Updates after each sample, compared with minibatches."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

# The batch size and learning rate of each data set.
_DEFAULTS = {'digits': (32, 1.0), 'fashion_mnist': (128, 0.5)}
_SIZES = {'digits': (1, 4, 16, 32, 64), 'fashion_mnist': (1, 8, 128)}
_NUM_SEEDS = {'digits': 5, 'fashion_mnist': 3}


def _make_sweeps(dataset: str) -> tuple[Sweep, ...]:
  """Makes a sweep for each batch size, with the same rate for each sample."""
  default, rate = _DEFAULTS[dataset]
  return tuple(
    Sweep(
      {
        'batch_size': (size,),
        'learning_rate': (size * rate / default,),
        'num_steps': (16, 64),
      },
      num_seeds=_NUM_SEEDS[dataset],
    )
    for size in _SIZES[dataset]
  )


def _numbers(records):
  """Compares single samples with the batches of the data set."""
  found = {}
  for dataset, runs in records.items():
    names = {1: 'single', _DEFAULTS[dataset][0]: 'batch'}
    runs = runs.assign(size=runs['batch_size'].map(names))
    ann, spiking = frames.split_baseline(runs.dropna(subset='size'))
    for part, ending in ((ann, 'ann'), (spiking, 't{num_steps}')):
      name = '{dataset}_{size}_minus_batch_' + ending
      found |= comparisons.numbers(part, name, size='batch')
  return found


STUDY = Study(
  question=(
    'Does learning sample by sample differ from learning in minibatches?'
  ),
  sweeps={dataset: _make_sweeps(dataset) for dataset in _SIZES},
  numbers=_numbers,
  claims=(
    Claim(
      'With random trains of 64 ticks, digits accuracy after learning sample '
      'by sample is within 1 point of learning in minibatches of 32.',
      ('digits_single_minus_batch_t64',),
      within=1,
    ),
  ),
  text="""
A chip learns sample by sample. Here the learning rate is proportional to the
batch size, so that each sample has the same rate: 1.0 / 32 on digits and
0.5 / 128 on Fashion-MNIST. Only the age of the weights differs.

No effect of the batch size is significant, for the ANN or for spikes. With 64
ticks, single samples change accuracy by {digits_single_minus_batch_t64} points
compared with batches of 32 digits, and by
{fashion_mnist_single_minus_batch_t64} points compared with batches of 128
images; for the ANN these differences are {digits_single_minus_batch_ann} and
{fashion_mnist_single_minus_batch_ann}. The minibatches of all other studies
thus approximate a chip that learns sample by sample. Update errors are those of
the probe batch at the weights after one epoch of each setting.
""",
)
