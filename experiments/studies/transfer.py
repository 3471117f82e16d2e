"""Networks trained on synthetic recordings and tested on real ones."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from ssnn_jax.datasets import catalog

_METRICS = {
  'ssnn': comparisons.ACCURACY,
  'ssnn_minus_ann': comparisons.minus(),
}
_TEST = {'test_dataset': 'n_mnist'}
# Tuned for the ANN on held-out synthetic recordings, in the study `tuning`.
_TUNED = {'batch_size': 64, 'num_epochs': 10, 'learning_rate': 0.2}


def _numbers(records):
  runs = comparisons.join(records)
  images = runs['dataset'].map(catalog.image_source)
  runs = runs.assign(images=images)
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(
    ann, '{images}_ann', {'': comparisons.ACCURACY}
  ) | comparisons.numbers(runs, '{images}_{metric}_t{num_steps}', _METRICS)


STUDY = Study(
  question=(
    'Do networks trained on synthetic recordings classify recordings of a real '
    'event camera?'
  ),
  sweeps={
    'synthetic_events/digits': (
      Sweep({'num_steps': (1, 4, 16, 64, 256)}, base=_TEST),
    ),
    'synthetic_events/mnist': tuple(
      Sweep({'num_steps': (t,), 'window': (t,)}, base=_TUNED | _TEST)
      for t in (64, 256)
    ),
  },
  figure=lambda runs: figures.draw_lengths(runs, margin=2),
  numbers=_numbers,
  text="""
Networks were trained on recordings of a simulated event camera and tested on
`1,100` real recordings of N-MNIST, or `550` of them for the `8 x 8` digits. The
synthetic recordings of MNIST are `14,000`, of which `12,000` are for training:

```bash
python -m experiments.prepare --dataset=synthetic_events/mnist \\
  --num_recordings=14000
```

Trained on recordings of MNIST, the ANN classifies {mnist_ann:.1f} % of the real
ones correctly, the spiking network {mnist_ssnn_t64:.1f} % with 64 ticks and
{mnist_ssnn_t256:.1f} % with 256, {mnist_ssnn_minus_ann_t64} and
{mnist_ssnn_minus_ann_t256} points from the ANN. `1,000` of the real recordings
show images whose simulated recordings were among those for training. Trained on
recordings of the `8 x 8` digits, the ANN classifies {digits_ann:.1f} %, the
spiking network with 64 ticks {digits_ssnn_t64:.1f} %, with fewer recordings,
other settings and windows of at most 32 ticks.

The simulated camera was fitted to `550` real recordings: its thresholds and the
light of the screen to the mean number of events, its path to the motion of the
maps. The simulation has no hot pixels and no slow tails between the bursts.
Networks trained on real recordings are in [datasets](datasets.md).
""",
)
