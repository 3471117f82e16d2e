"""Spikes and synaptic events of a sample, by the neuron that sends them."""

from experiments.studies import Study

STUDY = Study(
  question='How many spikes and synaptic events does learning a sample take?',
  commands=(
    'python -m experiments.measurements.fidelity --dataset=fashion_mnist '
    '--hidden_sizes=256 --hidden_sizes=128,128,128,128 --num_steps=8,16,64 '
    '--neurons=bipolar,stochastic --windows=0 --samplers=default',
  ),
  columns=('layer_sizes', 'neuron', 'num_steps'),
  rows=('layer_sizes', 'num_steps', 'neuron'),
  across='metric',
  metrics=(
    'forward_spikes',
    'forward_events',
    'error_spikes',
    'error_events',
    'coincidences',
  ),
  baseline=None,
  drawn={'metric': 'error_spikes'},
  figure='points',
)
