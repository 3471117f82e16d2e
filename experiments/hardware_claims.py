"""What records show of event cameras, claim by claim."""

from experiments import claims
from experiments import verdicts

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
CLAIMS = _EVENTS
