"""Error of one update against spike-train length, timing and cost."""

from experiments.studies import Study

_MEASURE = 'python -m experiments.measurements.fidelity --dataset=fashion_mnist'

STUDY = Study(
  question=(
    "How far is the update of one batch from BP's gradient, and how does it "
    'fall with T?'
  ),
  commands=(
    f'{_MEASURE} --hidden_sizes=256 --hidden_sizes=256,256',
    f'{_MEASURE} --hidden_sizes=256 --hidden_sizes=128,128 '
    '--hidden_sizes=128,128,128,128 --num_steps=16,64 '
    '--timings=realtime,buffered --neurons=stochastic --gains=1,2',
    f'{_MEASURE} --hidden_sizes=256 --hidden_sizes=128,128 '
    '--hidden_sizes=128,128,128,128 --num_steps=16,64 --timings=realtime '
    '--gains=1,2,4',
  ),
  columns=(
    'layer_sizes',
    'timing',
    'neuron',
    'gain',
    'sampler',
    'window',
    'num_steps',
  ),
  rows=('layer_sizes', 'timing', 'neuron', 'sampler', 'gain'),
  metrics=('update_error',),
  baseline=None,
  shown={  # the others are in the CSV file
    'layer_sizes': ('784-256-10', '784-128-128-128-128-10'),
    'gain': ('1.0', '4.0'),
    'window': ('T', '1'),
  },
)
