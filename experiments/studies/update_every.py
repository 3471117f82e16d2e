"""Updates within the presentation, compared with updates after it."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_SIZES = (1, 32)  # batch sizes
_METRICS = {
  '': comparisons.minus(),
  '_by_potential': comparisons.minus('test_accuracy_potential'),
}


def _numbers(records):
  """Compares updates after each window with updates after presentations."""
  _, spiking = frames.split_baseline(comparisons.join(records))
  name = '{dataset}_b{batch_size}_{update_every}_minus_presentation{metric}'
  return comparisons.numbers(
    spiking, name, _METRICS, update_every='presentation'
  )


def _make_sweep(size: int) -> Sweep:
  """Makes the sweep of a batch size, with the same rate for each sample."""
  base = {'timing': 'realtime', 'settle': 0, 'num_epochs': 10}
  base |= {'batch_size': size, 'learning_rate': size / 32}
  grid = {'update_every': ('presentation', 'window'), 'num_steps': (64,)}
  return Sweep(grid, base=base)


STUDY = Study(
  question='Does it matter if weights move within the presentation?',
  sweeps={'digits': tuple(map(_make_sweep, _SIZES))},
  numbers=_numbers,
  claims=(
    Claim(
      'In real time at T = 64 with single samples, digits accuracy by final '
      'potential with updates after each tick is within 1 point of updates '
      'after the presentation.',
      ('digits_b1_window_minus_presentation_by_potential',),
      within=1,
    ),
  ),
  text="""
On a chip a coincidence moves its weight at once, not after the presentation
(`--update_every=window`). With windows of one tick the weights then change in
every tick while neurons still integrate the sample. A batch of 1 is what a chip
does; a batch of 32 are parallel copies with common weights, whose counts are
summed in each tick. The learning rate is proportional to the batch size.

Compared with updates after the presentation, updates in each tick change
accuracy by {digits_b1_window_minus_presentation} points with single samples and
{digits_b32_window_minus_presentation} with batches of 32 with the spike-count
readout; by final potential
{digits_b1_window_minus_presentation_by_potential} and
{digits_b32_window_minus_presentation_by_potential}. A presentation moves each
weight little.
""",
)
