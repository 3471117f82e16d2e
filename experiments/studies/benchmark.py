"""Time of training and inference steps relative to backpropagation."""

from experiments.studies import Study

_TIME = 'python -m experiments.benchmark'
_STOCHASTIC = f'{_TIME} --neuron=stochastic'

STUDY = Study(
  question='How many steps of backpropagation does one step with spikes cost?',
  commands=(
    f'{_TIME} --num_steps=8,16,64,256',
    f'{_TIME} --num_steps=16,64 --sampler=sobol',
    f'{_TIME} --num_steps=8,64 --layers=conv16k5s2,conv32k5s2,10 --rounds=7',
    f'{_TIME} --names=epoch --num_seeds=1,4,8 --num_steps=16',
    f'{_TIME} --names=epoch --num_seeds=1,4 --num_steps=16 --rounds=5 '
    '--layers=conv16k5s2,conv32k5s2,10',
    *(
      f'{_STOCHASTIC} --sampler={sampler} {options}'
      for sampler in ('sobol', 'bernoulli')
      for options in (
        '--window=256 --num_steps=4,16,64,256',
        '--window=32 --num_steps=64,256',
        '--names=epoch --num_seeds=1,5 --window=256 --num_steps=64',
        '--names=epoch --num_seeds=1,5 --window=32 --num_steps=64',
        '--layers=conv16k5s2,conv32k5s2,10 --window=32 --num_steps=4,16,64,256',
        '--nokernels --window=32 --num_steps=16,64,256',
      )
    ),
    f'{_STOCHASTIC} --names=learn --sampler=bernoulli --window=32 '
    '--num_steps=32 --batch_size=1,128 '
    '--devices=ideal,gokmen_vlasov,reram,ecram,ecram_mo',
    f'{_STOCHASTIC} --names=epoch --sampler=bernoulli --window=32 '
    '--num_steps=16,64 --rounds=5 '
    '--methods=ssnn,feedback_alignment,rpu,bp_stdp,surrogate_gradient',
  ),
  columns=(
    'name',
    'layer_sizes',
    'layers',
    'batch_size',
    'num_seeds',
    'neuron',
    'sampler',
    'window',
    'num_steps',
    'device',
    'kernels',
  ),
  rows=(
    'name',
    'method',
    'neuron',
    'sampler',
    'window',
  ),
  metrics=('ratio_to_bp',),
  baseline=None,
  shown={  # the others, and stored bits, are in the CSV file
    'name': ('learn', 'epoch'),
    'layer_sizes': '784-256-10',
    'dataset': 'random',
    'batch_size': '128',
    'num_seeds': '1',
    'device': 'ideal',
    'kernels': ('True', ''),
  },
  drawn={'name': 'learn', 'method': 'ssnn'},
)
