"""What records show of uses of spikes, membranes and rivals, claim by claim."""

from experiments import claims
from experiments import verdicts

_USES = (
  claims.Claim(
    'Of what learning loses with 4 ticks the update costs more than spikes '
    'forward',
    'attribution-fashion_mnist',
    claims.over(
      'num_steps=@, forward=rates, backward=rates, update=spikes less '
      'num_steps=@, forward=spikes, backward=rates, update=rates; read as ANN',
      [4],
    ),
    'points, read as ANN',
    verdicts.below(0),
  ),
  claims.Claim(
    'With 64 ticks no single use of spikes costs accuracy that is seen',
    'attribution-fashion_mnist',
    {
      use: f'final potential {use}; T = 64'
      for use in ('forward', 'backward', 'update')
    },
    'points, by potential',
    verdicts.unseen,
  ),
  *(
    claims.Claim(
      f'On {name} a winner-take-all teaches as well as samples of the exact '
      'softmax, within half a point',
      record,
      claims.over(
        'num_steps=@, output_errors=winner less num_steps=@, '
        'output_errors=softmax; accuracy',
        (4, 16, 64),
      ),
      'points',
      verdicts.within(0.5),
    )
    for name, record in (
      ('Fashion-MNIST', 'winners-fashion_mnist'),
      ('digits', 'winners-digits'),
    )
  ),
  claims.Claim(
    'On Fashion-MNIST a hard argmax in its place costs less than five points',
    'winners-fashion_mnist',
    claims.over(
      'num_steps=@, output_errors=argmax less num_steps=@, '
      'output_errors=winner; read as ANN',
      (4, 16, 64),
    ),
    'points, read as ANN',
    verdicts.within(5),
  ),
  claims.Claim(
    'A delay of a window, which lets no error meet a spike that caused it, '
    'raises accuracy',
    'variants-fashion_mnist',
    {
      f'n = {n}': f'window={n}, delay=1 less window={n}, delay=0; accuracy'
      for n in (8, 32)
    },
    'points',
    verdicts.above(0),
  ),
  claims.Claim(
    'With windows of 8 ticks the kind of membrane makes less than half a point',
    'windows-fashion_mnist',
    {
      f'{kind} minus mean': f'window=8, integration={kind} less '
      'window=8, integration=mean; accuracy'
      for kind in ('leaky', 'memoryless')
    },
    'points',
    verdicts.within(0.5),
  ),
  claims.Claim(
    'With grey pixels, windows of a tick and running means the update error '
    'halves from 64 to 256 ticks',
    'grey_pixels-digits',
    {'': 'ssnn 256 1 mean over ssnn 64 1 mean; update error; .2f'},
    'of it',
    verdicts.between(0.48, 0.52),
  ),
  claims.Claim(
    'With grey pixels, windows of a tick and memoryless membranes it halves',
    'grey_pixels-digits',
    {'': 'ssnn 256 1 memoryless over ssnn 64 1 memoryless; update error; .2f'},
    'of it',
    verdicts.between(0.48, 0.52),
  ),
)


def _beside(method, judge, claim):
  """Compares a rival with our network, at equal T."""
  reference = f'method={method}, num_steps=@ less method=ssnn, num_steps=@'
  measured = claims.over(f'{reference}; accuracy', (16, 64))
  return claims.Claim(claim, 'methods-fashion_mnist', measured, 'points', judge)


_RIVALS = (
  _beside(
    'rpu',
    verdicts.above(0),
    'Pulses in the update alone (`rpu`) are more accurate than spikes '
    'throughout',
  ),
  _beside(
    'feedback_alignment',
    verdicts.below(0),
    'Fixed random feedback is less accurate than the transposed read',
  ),
  _beside(
    'surrogate_gradient',
    verdicts.below(0),
    'Surrogate gradients are less accurate than `ssnn`',
  ),
  _beside('bp_stdp', verdicts.below(0), 'BP-STDP is less accurate than `ssnn`'),
  claims.Claim(
    'Surrogate gradients take at least ten times the time of BP',
    'benchmark-methods',
    claims.over('epoch 784-256-10 128 surrogate_gradient; T = @', (16, 64)),
    'times',
    verdicts.above(10),
  ),
)


CLAIMS = (*_USES, *_RIVALS)
