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
    f'{_STOCHASTIC} --sampler=sobol --num_steps=16,64,256',
    f'{_STOCHASTIC} --sampler=bernoulli --num_steps=16,64,256',
    f'{_STOCHASTIC} --names=learn --num_steps=32 --sampler=bernoulli '
    '--devices=ideal,gokmen_vlasov,reram,ecram,ecram_mo',
    f'{_STOCHASTIC} --names=epoch --num_steps=16 --sampler=bernoulli '
    '--rounds=5 '
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
  },
  drawn={'name': 'learn', 'method': 'ssnn'},
)
