"""What records show of devices, chips and event cameras, claim by claim."""

from experiments import claims
from experiments import verdicts


def _preset(name, judge, claim):
  """Compares a published device with the ideal one."""
  return claims.Claim(
    claim,
    'device_tolerance-fashion_mnist',
    {name: f'preset {name}; minus'},
    'points',
    judge,
  )


def _pulse_schemes(num_steps, bound, claim):
  """Compares single pulses with scaled pulses, on digits."""
  cell = f'pulse_scheme=@, num_steps={num_steps}'
  place = f'{cell.replace("@", "single")} less {cell.replace("@", "scaled")}'
  return claims.Claim(
    claim,
    'pulse_schemes-digits',
    {f'T = {num_steps}': f'{place}; accuracy'},
    'points',
    verdicts.within(bound),
  )


_DEVICES = (
  _pulse_schemes(
    64,
    0.5,
    'With a pulse for each coincidence and 64 ticks digits are learned as well '
    'as with pulses thinned to the learning rate, within half a point',
  ),
  _pulse_schemes(
    256,
    5,
    'With four times as many ticks, and so that learning rate, they still are, '
    'within five points',
  ),
  claims.Claim(
    'On Fashion-MNIST 1000 states cost less than a point',
    'device_tolerance-fashion_mnist',
    {'': 'dw_min 0.002 (1000 states); minus'},
    'points',
    verdicts.within(1),
  ),
  claims.Claim(
    'On digits 100 states cost less than a point',
    'device_tolerance-digits',
    {'': 'dw_min 0.02 (100 states); minus'},
    'points',
    verdicts.within(1),
  ),
  claims.Claim(
    'Steps up that are 2 % larger than steps down cost less than a point',
    'device_tolerance-fashion_mnist',
    {'': 'up_down 0.02; minus'},
    'points',
    verdicts.within(1),
  ),
  claims.Claim(
    '3 % of stuck devices cost less than a point',
    'device_tolerance-fashion_mnist',
    {'': 'corrupt_devices_prob 0.03; minus'},
    'points',
    verdicts.within(1),
  ),
  _preset(
    'gokmen_vlasov',
    verdicts.within(1),
    'The RPU baseline of Gokmen and Vlasov costs less than a point',
  ),
  _preset('ecram', verdicts.within(1), 'Lithium ECRAM costs less than a point'),
  _preset('reram', verdicts.within(1), 'ReRAM costs less than a point'),
  claims.Claim(
    'Zero shifting gives back accuracy that asymmetry takes',
    'tiki_taka-fashion_mnist',
    {
      f'up_down {value}': f'{value} sgd + zero shifting; minus sgd ('
      for value in ('0.1', '0.3', '0.6')
    },
    'points over SGD',
    verdicts.above(0),
  ),
  claims.Claim(
    'At the largest asymmetry Tiki-Taka gains over zero shifting on '
    'Fashion-MNIST',
    'tiki_taka-fashion_mnist',
    {'': '0.6 Tiki-Taka + zero shifting; minus sgd + zero shifting'},
    'points',
    verdicts.above(0),
  ),
  claims.Claim(
    'At the largest asymmetry Tiki-Taka gains over zero shifting on digits',
    'tiki_taka-digits',
    {'': '0.6 Tiki-Taka + zero shifting; minus sgd + zero shifting'},
    'points',
    verdicts.above(0),
  ),
)
_CHIPS = (
  *(
    claims.Claim(
      f'By the table `{energies}` learning by spikes takes less energy than BP',
      f'energy-fashion_mnist by {energies}',
      claims.over(
        'ssnn @ sobol; energy, nJ over BP, nJ; second .3f', (4, 16, 64, 256)
      ),
      'of BP',
      verdicts.below(1),
    )
    for energies in ('crossbar', 'loihi')
  ),
  claims.Claim(
    'Simulators that reset by subtraction make of an exported network what its '
    'ANN is, within half a point',
    'nir_consumers',
    {
      f'{library}, {data}': f'{data} {library}; spikes less read as ANN; +.2f'
      for library in ('sinabs 3.1.3', 'snntorch 1.0.0')
      for data in ('digits', 'fashion_mnist')
    },
    'points',
    verdicts.within(0.5),
  ),
)

_EVENTS = (
  claims.Claim(
    'On synthetic digits the order of ticks is worth something with short '
    'windows',
    'event_time-synthetic_events-digits',
    {f'n = {n}': f'{n} winner counts; shuffled minus' for n in (1, 8)},
    'points, if shuffled',
    verdicts.below(0),
  ),
  claims.Claim(
    'On a part of N-MNIST the order of ticks is worth something with short '
    'windows',
    'event_time-n_mnist',
    {f'n = {n}': f'{n} winner counts; shuffled minus' for n in (1, 8)},
    'points, if shuffled',
    verdicts.below(0),
  ),
  claims.Claim(
    'With one window of all ticks nothing is seen of its worth',
    'event_time-synthetic_events-digits',
    {'n = 64': '64 winner counts; shuffled minus'},
    'points, if shuffled',
    verdicts.unseen,
  ),
  claims.Claim(
    'Trained on synthetic recordings, networks tell more than a tenth of the '
    'real ones',
    'transfer-synthetic_events-digits',
    {
      'ANN': 'ANN (BP); accuracy; first',
      'T = 64': 'SSNN, T = 64; accuracy; first',
    },
    '%',
    verdicts.above(10),
  ),
  claims.Claim(
    'Trained on synthetic recordings, spiking networks tell real ones as '
    'well as the ANN, within two points',
    'transfer-synthetic_events-digits',
    claims.over('SSNN, T = @; minus', [64]),
    'points',
    verdicts.within(2),
  ),
)
CLAIMS = (*_DEVICES, *_CHIPS, *_EVENTS)
