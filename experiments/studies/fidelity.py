"""Error of one update against spike-train length, of both neurons."""

from experiments.studies import Study

_MEASURE = 'python -m experiments.measurements.fidelity --dataset=fashion_mnist'

STUDY = Study(
  question=(
    "How far is the update of one batch from BP's gradient, and how does it "
    'fall with T?'
  ),
  commands=(
    f'{_MEASURE} --hidden_sizes=256 --hidden_sizes=256,256',
    f'{_MEASURE} --neurons=bipolar --samplers=regular,sobol --gains=1,4 '
    '--hidden_sizes=256 --hidden_sizes=128,128,128,128 '
    '--num_steps=2,4,8,16,32,64,128,256',
    f'{_MEASURE} --neurons=bipolar --samplers=regular,sobol --train_steps=2000 '
    '--layers=conv16k5s2,conv32k5s2,10 --num_steps=8,16,32,64',
    f'{_MEASURE} --hidden_sizes=128,128 --hidden_sizes=128,128,128,128 '
    '--num_steps=16,64 --gains=1,2',
  ),
  columns=(
    'layers',
    'layer_sizes',
    'neuron',
    'gain',
    'sampler',
    'window',
    'num_steps',
  ),
  rows=('layers', 'layer_sizes', 'neuron', 'sampler', 'gain'),
  metrics=('update_error',),
  baseline=None,
  shown={  # the others are in the CSV file
    'layer_sizes': ('784-256-10', '784-128-128-128-128-10', ''),
    'gain': ('1.0', '4.0'),
    'window': ('T', ''),
  },
  drawn={'layer_sizes': '784-256-10'},
)
