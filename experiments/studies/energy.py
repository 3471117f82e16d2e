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
  priced = [name for name in tables['crossbar'] if name.endswith('nJ')]
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
  """Computes energies with both tables, their parts, and those of BP."""
  joined, found = comparisons.join(records), {}
  for table in _TABLES:
    runs = energy.add_energies(joined, table)
    name = f'{{dataset}}_{{sampler}}_{table}_{{metric}}_t{{num_steps}}'
    found |= comparisons.numbers(runs, name, energy.METRICS)
  anns, _ = frames.split_baseline(runs)
  name = '{dataset}_{metric}'
  return found | comparisons.numbers(anns, name, energy.BP_METRICS)


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
Nothing here is measured on hardware. Counts of spikes, synaptic events, reads,
pulses and random bits are computed from the activity of 128 training samples
after each epoch (`ssnn_jax.hardware.cost`), and multiplied by energies from the
literature: the table `crossbar` has analog arrays, `loihi` a digital
neuromorphic chip. Their files name the source of each energy and its limits.
Numbers are for one presentation of one sample, a / b for inference / learning:
inference with the trained network, learning as a mean over epochs. Energies are
products of counts and constants: their ratios have no test.

**One technology node.** Both tables are for 14 nm. Digital backpropagation (BP)
has the energies of Horowitz (2014) at 45 nm, scaled to 14 nm by the equations
of Stillmaker and Baas (2017), a factor of `0.118`. It reads one number from a
small memory for each multiplication and writes each gradient, in fp32, fp16 or
int8; BP in int8 is a lower bound, as some of its steps need more bits. Another
rule gives other ratios. Without scaling, BP takes `8.4` times as much. The
source of the analog reads, Marinella et al. (2018), prices a digital block of 8
bits in the same node at 430 times the energy of an analog read, which is about
`1,900` nJ to learn a sample of Fashion-MNIST, `19` times what is counted here
for int8.

To learn a sample of Fashion-MNIST, 784-256-10, in nJ:

- BP in fp32, fp16 and int8: {fashion_mnist_learning_bp_fp32_nj:.0f},
  {fashion_mnist_learning_bp_fp16_nj:.0f} and
  {fashion_mnist_learning_bp_int8_nj:.0f};
- RPU on crossbars with 16 and 64 pulses, in the last epoch:
  {baselines.fashion_mnist_rpu_learning_nj_t16:.0f} and
  {baselines.fashion_mnist_rpu_learning_nj_t64:.0f};
- Bernoulli trains on the same crossbars with T = 16 and 64, in the last epoch:
  {baselines.fashion_mnist_ssnn_learning_nj_t16:.0f} and
  {baselines.fashion_mnist_ssnn_learning_nj_t64:.0f}, in real time with n = 1
  {realtime.fashion_mnist_realtime_learning_nj_t16:.0f} and
  {realtime.fashion_mnist_realtime_learning_nj_t64:.0f};
- Sobol trains with T = 4, 16 and 64, as a mean over epochs:
  {fashion_mnist_sobol_crossbar_learning_nj_t4:.0f},
  {fashion_mnist_sobol_crossbar_learning_nj_t16:.0f} and
  {fashion_mnist_sobol_crossbar_learning_nj_t64:.0f};
- the same on the digital chip: {fashion_mnist_sobol_loihi_learning_nj_t4:,.0f},
  {fashion_mnist_sobol_loihi_learning_nj_t16:,.0f} and
  {fashion_mnist_sobol_loihi_learning_nj_t64:,.0f}.

**Crossbars.** With 16 ticks of Sobol trains, learning takes
{fashion_mnist_sobol_crossbar_learning_over_fp32_t16:.0%} of BP in fp32,
{fashion_mnist_sobol_crossbar_learning_over_fp16_t16:.0%} of BP in fp16 and
{fashion_mnist_sobol_crossbar_learning_over_int8_t16:.0%} of BP in int8; with 64
ticks {fashion_mnist_sobol_crossbar_learning_over_fp32_t64:.0%},
{fashion_mnist_sobol_crossbar_learning_over_fp16_t64:.0%} and
{fashion_mnist_sobol_crossbar_learning_over_int8_t64:.0%}. Of the energy at
T = 16, pulses take
{fashion_mnist_sobol_crossbar_learning_update_pulses_nj_t16:.0f} nJ (10 pJ a
pulse, an upper bound), reads
{fashion_mnist_sobol_crossbar_learning_device_reads_nj_t16:.0f} and spikes
{fashion_mnist_sobol_crossbar_learning_spikes_nj_t16:.0f}. RPU needs as many
pulses, but one read instead of T ([baselines](baselines.md)): on the same
crossbar spikes cost more than values, and save the converters of values, which
the price of a read includes for both. In real time and in the fast simulation
alike, each crossbar is read in every tick in which its layer works
([realtime](realtime.md)).

**Random bits.** A threshold has 16 bits. With Bernoulli trains of 16 ticks and
a word for each neuron and tick, learning takes
{fashion_mnist_bernoulli_crossbar_learning_random_bits_t16:,.0f} bits a sample,
{fashion_mnist_bernoulli_crossbar_learning_random_bits_nj_t16:.1f} nJ from
pseudo-random generators. If all neurons of a layer and role share a word and
flip its bits by fixed masks, as in [the chip](chip_random.md),
{fashion_mnist_bernoulli_crossbar_learning_shared_random_bits_t16:,.0f} bits
suffice. Sobol trains need
{fashion_mnist_sobol_crossbar_learning_random_bits_t16:,.0f}. The bits of a true
random generator, measured in 14 nm, would take
{fashion_mnist_bernoulli_crossbar_learning_true_random_nj_t16:,.0f} nJ with
Bernoulli trains, more than all else, and
{fashion_mnist_sobol_crossbar_learning_true_random_nj_t16:.0f} with
Sobol trains.

**The digital chip** takes more than BP in any format: learning with 4 ticks
{fashion_mnist_sobol_loihi_learning_over_fp32_t4:.0f} times the energy of BP in
fp32 and {fashion_mnist_sobol_loihi_learning_over_int8_t4:.0f} times that of
int8. The advantage of crossbars is due to computing in memory, not to spikes.
Energy is nearly proportional to T, while accuracy saturates.
""",
)
