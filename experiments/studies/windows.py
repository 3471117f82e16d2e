"""Windows, membranes between windows, and the gain of error streams."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep

_MEMBRANES = ('mean', 'leaky', 'memoryless')
_GAIN = (1.0,)
_SAMPLERS = ('bernoulli', 'sobol')
_LENGTHS = {16: (1, 4, 16), 64: (1, 8, 32, 64), 256: (8, 32, 64, 256)}
_READOUTS = {
  '': comparisons.minus(),
  '_by_potential': comparisons.minus('test_accuracy_potential'),
}
_PANELS = {
  figures.difference_label(): _READOUTS[''],
  figures.ERROR_LABEL: comparisons.mean('update_error'),
}
_CHANGES = {
  '': comparisons.minus(),
  '_error': comparisons.ratio('update_error'),
}


def _vary_window(runs):
  """Selects networks of T = 64 and Bernoulli trains with a given window."""
  chosen = frames.select(runs, num_steps=64, sampler='bernoulli', gain=_GAIN)
  is_given = chosen['window'].notna() | (chosen['method'] == methods.ANN)
  return chosen[is_given]


def _vary_lengths(runs):
  """Selects running means whose T, window and sampler are given."""
  chosen = frames.select(runs, integration='mean', gain=_GAIN)
  return chosen[chosen['window'].notna() | (chosen['method'] == methods.ANN)]


def _draw(runs):
  """Draws the networks with the default gain against the window."""
  if runs['num_steps'].nunique() == 1:
    return figures.draw_grid(_vary_window(runs))
  chosen = _vary_lengths(runs)
  names = chosen['sampler'].map(figures.TRAINS)
  labels = names + ', T = ' + chosen['num_steps'].map(str)
  return figures.draw(chosen.assign(curve=labels), 'window', 'curve', _PANELS)


def _numbers(records):
  """Compares membranes, windows and gains."""
  _, spiking = frames.split_baseline(comparisons.join(records))
  given = _vary_window(spiking)
  fashion = frames.select(spiking, dataset='fashion_mnist')
  numbers = comparisons.numbers
  return (
    numbers(
      given,
      '{dataset}_{integration}_minus_mean_n{window}{metric}',
      _READOUTS,
      integration='mean',
    )
    | numbers(
      given,
      '{dataset}_{integration}_error_n{window}',
      {'': comparisons.mean('update_error')},
    )
    | numbers(
      frames.select(fashion, window=None, num_steps=64, sampler='bernoulli'),
      'gain{gain}{metric}',
      _CHANGES,
      gain=_GAIN,
    )
    | numbers(
      _vary_lengths(records['fashion_mnist']),
      '{sampler}_t{num_steps}_n{window}{metric}',
      {'': comparisons.minus(), '_error': comparisons.mean('update_error')},
    )
    | _compare_with_single(_vary_lengths(records['fashion_mnist']))
  )


def _compare_with_single(runs):
  """Compares the accuracy of each window with that of a single window."""
  found = {}
  for t in _LENGTHS:
    name = '{sampler}_t{num_steps}_n{window}_minus_single'
    own = frames.select(runs, num_steps=t)
    found |= comparisons.numbers(own, name, window=t)
  return found


_SINGLE = tuple(
  f'{sampler}_t{t}_n8_minus_single' for sampler in _SAMPLERS for t in (64, 256)
)
STUDY = Study(
  question='Which window, and do the membrane or the gain affect accuracy?',
  sweeps={
    'digits': (Sweep({'integration': _MEMBRANES, 'window': (1, 8, 32, 64)}),),
    'fashion_mnist': (
      Sweep({'integration': _MEMBRANES, 'window': (8, 32, 64)}),
      Sweep({'gain': ((0.5,), (1.0,), (2.0,))}),
      *(
        Sweep({'num_steps': (t,), 'window': windows, 'sampler': _SAMPLERS})
        for t, windows in _LENGTHS.items()
      ),
    ),
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With T = 64 and windows of 8 ticks, Fashion-MNIST accuracy with leaky '
      'or memoryless membranes is within 1 point of running means.',
      (
        'fashion_mnist_leaky_minus_mean_n8',
        'fashion_mnist_memoryless_minus_mean_n8',
      ),
      within=1,
    ),
    Claim(
      'With T = 64 and 256 and either kind of trains, Fashion-MNIST accuracy '
      'with windows of 8 ticks is within 1 point of that with a single window.',
      _SINGLE,
      within=1,
    ),
  ),
  text="""
A membrane is read once in a window of n ticks. Short windows read noisier
potentials, whose error passes through the firing function and the gate. With
Sobol trains of 16 ticks on Fashion-MNIST, the update error is
{sobol_t16_n1_error:.2f} in windows of one tick, {sobol_t16_n4_error:.2f} in
windows of 4 and {sobol_t16_n16_error:.2f} in a single window, and accuracy
minus that of the ANN {sobol_t16_n1}, {sobol_t16_n4} and {sobol_t16_n16} points.
At T = 64 the error is {sobol_t64_n1_error:.3f} with n = 1,
{sobol_t64_n8_error:.3f} with n = 8 and {sobol_t64_n64_error:.3f} with n = 64,
at T = 256 {sobol_t256_n8_error:.3f} with n = 8 and {sobol_t256_n256_error:.3f}
with n = 256. With Bernoulli trains the noise of the counts hides most of it:
{bernoulli_t16_n1_error:.2f} to {bernoulli_t16_n16_error:.2f} at T = 16,
{bernoulli_t256_n8_error:.3f} to {bernoulli_t256_n256_error:.3f} at T = 256.
With Sobol trains, accuracy with n = 8 differs from that with a single
window by {sobol_t64_n8_minus_single} points at T = 64 and by
{sobol_t256_n8_minus_single} at T = 256, with Bernoulli trains by
{bernoulli_t64_n8_minus_single} and {bernoulli_t256_n8_minus_single}.

Each window costs a float product of the first layer. With Sobol
trains of 256 ticks a learning step takes {benchmark.learn_sobol_n256_t256:.1f}
steps of BP with n = T, and {benchmark.learn_sobol_n32_t256:.1f} with n = 32.
Bernoulli trains of long windows are drawn twice, before their errors and with
them: {benchmark.learn_bernoulli_n256_t256:.1f} and
{benchmark.learn_bernoulli_n32_t256:.1f} steps at T = 256, but
{benchmark.learn_bernoulli_n64_t64:.1f} and
{benchmark.learn_bernoulli_n32_t64:.1f} at T = 64. So

- **to simulate static inputs, choose Sobol trains and n = T**: the
  smallest error at the lowest cost;
- **n = 32** (`--max_window=32`) for comparisons over T, as in most studies: a
  shorter presentation is the beginning of a longer one;
- **n = 1 in real time** is what a chip does that stores nothing of a sample: an
  error reaches the first layer after 2 L - 1 windows, that is, ticks
  ([realtime](realtime.md));
- **n = 8 or so with leaky membranes** for events whose order matters
  ([datasets](datasets.md)).

The following networks have Bernoulli trains of 64 ticks. With one window the
three kinds of membranes are the same network but for rounding, which alone
changes the accuracy of leaky membranes on Fashion-MNIST by
{fashion_mnist_leaky_minus_mean_n64} points: differences of this size are
chance. With windows of 8 ticks leaky membranes differ from running means by
{fashion_mnist_leaky_minus_mean_n8} points, memoryless ones by
{fashion_mnist_memoryless_minus_mean_n8}. With windows of one tick on digits,
the final potential of memoryless membranes loses
{digits_memoryless_minus_mean_n1_by_potential:abs .0f} points, and the
spike-count readout is not worse ({digits_memoryless_minus_mean_n1} points).
With grey inputs, memoryless membranes fail ([grey_pixels](grey_pixels.md)).

Half and double the gain change the update error by factors of
{gain0_5_error:.2f} and {gain2_error:.2f}, and accuracy by {gain0_5} and {gain2}
points. The window can thus be chosen for the hardware;
[saturation](saturation.md) studies the gain.
""",
)
