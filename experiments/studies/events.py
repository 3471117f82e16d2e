"""Recordings of all images of MNIST by a simulated event camera."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import datasets
from experiments.studies import parity

_NAME = 'synthetic_events/mnist'
# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_BASE = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}
_LENGTHS = 64, 256  # ticks
_SHORT = 8  # ticks of a window


def _describe(runs):
  """Adds the form of windows: short ones, or one whole recording."""
  forms = {True: f'n = {_SHORT}', False: 'n = T'}
  return runs.assign(form=(runs['window'] == _SHORT).map(forms))


def _numbers(records):
  runs = comparisons.join(records)
  runs = runs.assign(
    form=(runs['window'] == _SHORT).map({True: 'n8', False: 'whole'})
  )
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(ann, 'ann', {'': comparisons.ACCURACY}) | (
    comparisons.numbers(
      runs, '{form}_t{num_steps}_by_{metric}', parity.READOUTS
    )
  )


def _draw(runs):
  panels = {figures.difference_label(): comparisons.minus()}
  named = _describe(runs)
  return figures.draw(named, 'num_steps', 'form', panels, datasets.MARGIN)


STUDY = Study(
  question='Do spikes match the ANN on tens of thousands of recordings?',
  sweeps={
    _NAME: tuple(
      Sweep(
        {'num_steps': (t,), 'window': (_SHORT, t), 'sampler': ('sobol',)},
        base=_BASE,
      )
      for t in _LENGTHS
    )
  },
  figure=_draw,
  numbers=_numbers,
  margin=datasets.MARGIN,
  claims=(
    Claim(
      f'On simulated recordings of MNIST with {_LENGTHS[0]} and {_LENGTHS[1]} '
      f'ticks, in windows of {_SHORT} ticks and of a whole recording, accuracy '
      f'is within {datasets.MARGIN} points of the ANN.',
      tuple(
        f'{form}_t{t}_by_counts' for t in _LENGTHS for form in ('n8', 'whole')
      ),
      within=datasets.MARGIN,
    ),
  ),
  text=f"""
N-MNIST is available here with `1,100` of its `70,000` recordings, too few to
decide a margin below a point ([datasets](datasets.md)). A simulated event
camera, which was fitted to them ([transfer](transfer.md)), recorded all images
of MNIST: `60,000` recordings for training and `10,000` for the test. They are
simulated, and no number here is one of N-MNIST.

```bash
python -m experiments.prepare --dataset={_NAME}
```

Input spikes are the events of a recording, `300` ms in T ticks; hidden neurons
emit Sobol trains. Networks are 2312-256-10, with the learning rate for a sample
that was tuned for the ANN on `12,000` recordings ([tuning](tuning.md)), and 5
epochs. Five seeds.
"""
  + """
With one window of a whole recording the difference to the ANN, {ann:.2f} %, is
{whole_t64_by_counts} points with `64` ticks and {whole_t256_by_counts} with
`256`; with windows of `8` ticks, after which potentials are read and errors
sent, {n8_t64_by_counts} and {n8_t256_by_counts}. With the ANN readout of the
learned weights it is {whole_t64_by_ann}, {whole_t256_by_ann}, {n8_t64_by_ann}
and {n8_t256_by_ann}.
""",
)
