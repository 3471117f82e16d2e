"""Time of training and inference steps relative to backpropagation."""

from collections.abc import Mapping
import itertools

from matplotlib import figure
import pandas as pd

from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config import synapses

_BENCHMARK = 'python -m experiments.benchmark'
_NETWORK = '784-256-10'
# Fields by which lines are grouped.
_CASE = ['name', 'network', 'batch_size']
_LOOK = [
  'method',
  'representation',
  'synapses',
  'images',
  'seeds',
  'trains',
  'windows',
]
_TITLES = {
  'learn': 'training step',
  'infer': 'inference',
  'epoch': 'training epoch',
}
_SAMPLERS = ('sobol', 'bernoulli')
# Timing, window and numbers of ticks of the prices.
_PRICED = (
  '--window=256 --num_steps=4,16,64,256',
  '--window=32 --num_steps=64,256',
  '--timing=realtime --num_steps=16,64,256',
)
_PACKED = f'{_BENCHMARK} --representations=packed'


def _prepare(lines):
  """Returns the lines of spiking networks, each with the preceding BP times."""
  is_bp = lines['method'] == methods.ANN
  prepared = lines.assign(
    network=list(map(_name_network, lines.to_dict('records'))),
    bp_ms=lines['median_ms'].where(is_bp).ffill(),
    bp_mib=lines['peak_mib'].where(is_bp).ffill(),
    synapses=lines.get('synapses', synapses.IDEAL),
    images=lines.get('images', 'random'),
    seeds=lines.get('num_seeds', 1),
    trains=_describe_trains(lines),
    windows=_describe_windows(lines),
  )[~is_bp]
  return prepared.fillna({'representation': ''}).astype({'num_steps': int})


def _name_network(line):
  """Names a network by its layers, or by the sizes of dense layers."""
  return '-'.join(map(str, line.get('layers') or line['layer_sizes']))


def _describe_trains(lines):
  """Returns the kind of trains of each line, where there are several."""
  is_varied = set(figures.TRAINS) <= set(lines['sampler'])
  return lines['sampler'].map(figures.TRAINS) if is_varied else ''


def _describe_windows(lines):
  """Returns the window of each line, where lines of equal T have several."""
  by_length = lines.groupby(['sampler', 'num_steps'])['window']
  if by_length.nunique().max() < 2:
    return ''
  windows = lines['window'].map('n = {:g}'.format)
  windows = windows.where(lines['window'] != lines['num_steps'], 'n = T')
  is_realtime = lines['timing'] == 'realtime'
  return windows.where(~is_realtime, 'real time, ' + windows)


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists times in BP steps over T, and the memory of the longest trains."""
  rows = []
  fields = [*_CASE, *_LOOK, 'sampler']
  for values, own in _prepare(lines).groupby(fields, sort=False):
    longest = own.loc[own['num_steps'].idxmax()]
    rows.append(
      dict(zip(fields, map(str, values)))
      | {
        'BP, ms': f'{own["bp_ms"].iloc[0]:.3g}',
        'MiB (BP)': f'{longest["peak_mib"]:.1f} ({longest["bp_mib"]:.1f})',
      }
      | {
        f'T = {t}': f'{ratio:.2f}'
        for t, ratio in zip(own['num_steps'], own['ratio_to_bp'])
      }
    )
  made = pd.DataFrame(rows).fillna('').drop(columns='trains')
  plain = {'windows': '', 'images': 'random', 'seeds': '1'}
  return [
    made.drop(columns=[x for x, own in plain.items() if set(made[x]) == {own}])
  ]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws times of the first network over T, or batch size for one T."""
  spiking = _prepare(lines)
  spiking = frames.select(spiking, images='random', seeds=1)
  over_steps = spiking['num_steps'].nunique() > 1
  if over_steps:
    lengths = spiking.groupby('name')['num_steps']
    spiking = spiking[lengths.transform('nunique') > 1]
  fixed = ['network', 'batch_size' if over_steps else 'num_steps']
  first = spiking[fixed].iloc[0].to_dict()
  spiking = frames.select(spiking, **first)
  abscissa = 'num_steps' if over_steps else 'batch_size'
  varied = [name for name in _LOOK if spiking[name].nunique() > 1]
  columns = ['']
  if {'windows', 'trains'} <= {*varied}:
    varied.remove('trains')
    columns = list(figures.TRAINS.values())
  names = list(dict.fromkeys(spiking['name']))
  cells = list(itertools.product(names, columns))
  fig, grid = figures.make(len(cells), len(columns), sharey='row')
  for axes, (name, trains) in zip(grid, cells):
    own = spiking[spiking['name'] == name]
    if trains:
      own = own[own['trains'] == trains]
    _draw_curves(axes, own, abscissa, varied)
    figures.set_panel_title(axes, _TITLES[name] + (trains and f', {trains}'))
    axes.set_ylabel('time, relative to BP')
  name = 'batch size' if over_steps else 'T ='
  samplers = spiking['sampler'].unique()
  trains = [figures.word(samplers[0])] if len(samplers) == 1 else []
  figures.finish(
    fig,
    grid,
    ', '.join([first['network'], f'{name} {first[fixed[1]]}', *trains]),
    'median times, relative to the same step of BP',
  )
  return fig


def _draw_curves(axes, lines, abscissa, varied):
  """Draws a curve for each combination of varied columns."""
  groups = list(lines.groupby(varied or ['method'], sort=False))
  if varied == ['windows']:
    groups.sort(key=lambda group: frames.sortable(group[0][0]))
  for index, (values, own) in enumerate(groups):
    own = own.sort_values(abscissa)
    label = ', '.join(figures.word(value) for value in values if value)
    axes.plot(
      own[abscissa],
      own['ratio_to_bp'],
      color=figures.COLORS[index % len(figures.COLORS)],
      marker=figures.MARKERS[index % len(figures.MARKERS)],
      markersize=4 + 4 * (index % 2),  # equal times are both visible
      fillstyle='none',
      label=label,
    )
  axes.axhline(1, color=figures.BLACK, linewidth=1, label='BP')
  figures.set_steps(axes, lines[abscissa])
  if abscissa == 'batch_size':
    axes.set_xlabel('batch size (samples)')
  figures.set_log(axes.yaxis)


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes times in steps of BP, and of devices in ideal steps."""
  cpu, timed, devices = (
    _prepare(records[name]) for name in ('cpu', 'methods', 'devices')
  )
  cpu = frames.select(cpu, network=_NETWORK, batch_size=128)
  packed, naive = (
    frames.select(cpu, representation=form).set_index(['name', 'num_steps'])
    for form in ('packed', 'naive')
  )
  found = {
    f'{name}_t{t}': ratio for (name, t), ratio in packed['ratio_to_bp'].items()
  }
  for t, ratio in naive['ratio_to_bp']['learn'].items():
    found[f'learn_naive_t{t}'] = ratio
    found[f'naive_over_packed_t{t}'] = ratio / found[f'learn_t{t}']
  for line in timed.to_dict('records'):
    found[f'epoch_{line["method"]}_t{line["num_steps"]}'] = line['ratio_to_bp']
  for line in devices.to_dict('records'):
    name = f'{line["synapses"]}_over_ideal_batch{line["batch_size"]}'
    found[name] = line['ratio_to_ideal']
  for record, suffix in (('prices', ''), ('without_kernels', '_reference')):
    for line in _prepare(records[record]).to_dict('records'):
      name = '{name}_{sampler}_n{window:g}_t{num_steps}'.format(**line)
      if line['timing'] == 'realtime':
        name = '{name}_realtime_{sampler}_t{num_steps}'.format(**line)
      name += f'_{line["images"]}' * (line['images'] != 'random')
      name += f'_seeds{line["seeds"]}' * (line['seeds'] > 1)
      found[name + suffix] = line['ratio_to_bp']
  for line in _prepare(records['convolution']).to_dict('records'):
    name = '{name}_{sampler}_conv_t{num_steps}'.format(**line)
    found[name] = line['ratio_to_bp']
  return {name: statistics.Number(value) for name, value in found.items()}


STUDY = Study(
  question='How many steps of backpropagation does one step with spikes cost?',
  commands={
    'prices': (
      *(
        f'{_PACKED} --sampler={sampler} {options}'
        for sampler in _SAMPLERS
        for options in _PRICED
      ),
      *(
        f'{_PACKED} --names=epoch --num_seeds=1,5 --sampler={sampler} '
        f'--num_steps=64 {options}'
        for sampler in _SAMPLERS
        for options in ('--window=64', '--window=32', '--timing=realtime')
      ),
      *(
        f'{_PACKED} --dataset=mnist --sampler={sampler} --num_steps=64 '
        f'--timing=realtime'
        for sampler in _SAMPLERS
      ),
    ),
    'cpu': (
      f'{_BENCHMARK} --num_steps=4,16,64,256,1024 '
      '--representations=packed,dense',
      f'{_BENCHMARK} --num_steps=4,16,64,256 --representations=naive '
      '--rounds=5',
      f'{_BENCHMARK} --num_steps=64,256 --batch_size=1,8 '
      '--representations=packed',
      f'{_BENCHMARK} --layer_sizes=784,800,10 --layer_sizes=784,512,512,10 '
      '--num_steps=64,256 --representations=packed',
      f'{_BENCHMARK} --names=epoch --num_steps=64,256 --representations=packed',
    ),
    'devices': (
      f'{_PACKED} --names=learn --num_steps=32 --batch_size=1,128 '
      '--devices=gokmen_vlasov,reram,ecram,ecram_mo',
    ),
    'convolution': tuple(
      f'{_BENCHMARK} --layers=conv16k5s2,conv32k5s2,10 --sampler={sampler} '
      '--num_steps=4,16,64,256 --representations=packed'
      for sampler in ('bernoulli', 'sobol')
    ),
    'without_kernels': tuple(
      f'{_BENCHMARK} --nokernels --sampler={sampler} --num_steps=16,64,256 '
      '--representations=packed'
      for sampler in ('bernoulli', 'sobol')
    ),
    'methods': (
      f'{_BENCHMARK} --names=epoch --num_steps=16,64 --representations=packed '
      '--methods=surrogate_gradient,bp_stdp,rpu,feedback_alignment --rounds=5',
    ),
  },
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'On a CPU, a learning step with 64 ticks takes less than 4 steps of BP '
      '(784-256-10, batch 128).',
      ('learn_bernoulli_n32_t64',),
      below=4,
      unit='steps of BP',
    ),
  ),
  text="""
Times are medians of `15` rounds (naive and methods: `5`) in which settings
alternate with backpropagation, on two cores of a server processor with AVX-512.
Images are random, the worst case for spikes. `packed` holds 32 ticks of a train
in a word, `dense` counts coincidences by int8 matrix products, and `naive` is
the reference, tick by tick and sample by sample. `MiB` are buffers of the
compiled program; the counting kernel keeps up to 33 KiB for each output neuron
and 0.5 MiB for each thread besides, the one that reads spikes 4 KiB for each
sample.

A learning step of 784-256-10 with batches of 128 costs, with Sobol
trains in one window, {learn_sobol_n16_t16:.1f} steps of BP at T = 16,
{learn_sobol_n64_t64:.1f} at T = 64 and {learn_sobol_n256_t256:.1f} at T = 256,
with Bernoulli trains in windows of 32 ticks {learn_bernoulli_n16_t16:.1f},
{learn_bernoulli_n32_t64:.1f} and {learn_bernoulli_n32_t256:.1f}. Up to 32
ticks, one word, the cost hardly depends on T. Five seeds that train together
take {epoch_sobol_n64_t64_seeds5:.1f} (Sobol) and
{epoch_bernoulli_n32_t64_seeds5:.1f} (Bernoulli) times as long as BP with five
seeds. The reference takes {naive_over_packed_t64:.0f} times as long at T = 64.

In real time every tick is a step of all layers: T = 64 costs
{learn_realtime_sobol_t64:.0f} (Sobol) and
{learn_realtime_bernoulli_t64:.0f} (Bernoulli) steps of BP, and inference
{infer_realtime_sobol_t64:.0f} and {infer_realtime_bernoulli_t64:.0f} of the
ANN. The largest part is the read of the first layer. On images of MNIST, most
of whose pixels are black, learning costs
{learn_realtime_sobol_t64_mnist:.0f} and
{learn_realtime_bernoulli_t64_mnist:.0f} steps.
[Prices](../../docs/getting_started.md#which-t-window-and-trains) has all in one
table.

Two convolutions and a dense layer (`conv16k5s2,conv32k5s2,10` on images of 28 x
28 pixels, `267,520` products in a forward pass) cost
{learn_sobol_conv_t16:.1f} steps of BP of the same network at T = 16 and
{learn_sobol_conv_t64:.1f} at T = 64 with Sobol trains,
{learn_bernoulli_conv_t16:.1f} and {learn_bernoulli_conv_t64:.1f} with Bernoulli
trains. Patches are gathered as words of 32 ticks.

An epoch of surrogate gradients costs {epoch_surrogate_gradient_t16:.0f} epochs
of BP at T = 16 and {epoch_surrogate_gradient_t64:.0f} at T = 64, one of `rpu`
{epoch_rpu_t16:.1f} and {epoch_rpu_t64:.1f}. Accuracies are in
[baselines](baselines.md).

Resistive devices cost more at small batches: a step with `gokmen_vlasov` takes
{gokmen_vlasov_over_ideal_batch1:.1f} times as long as with ideal synapses at a
batch size of 1 and {gokmen_vlasov_over_ideal_batch128:.1f} at 128, with `reram`
{reram_over_ideal_batch1:.1f} and {reram_over_ideal_batch128:.1f}.
""",
)
