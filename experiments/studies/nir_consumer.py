"""Accuracy of exported networks in other simulators of spiking networks."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis.claims import Claim
from experiments.analysis.statistics import Number
from experiments.analysis.study import Study

_OURS = {'ours': 'accuracy', 'ours, final potential': 'accuracy_potential'}


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of accuracies in percent, one row a network and library."""
  rows = []
  names = ['dataset', 'consumer', 'version']
  for (dataset, library, version), own in lines.groupby(names):
    row = {'data set': dataset, 'library': f'{library} {version}'}
    own = own.set_index('inputs').loc[['current', 'spikes']]
    for inputs, line in own.iterrows():
      row[inputs] = f'{100 * line["consumer_accuracy"]:.2f}'
      row[f'error, {inputs}'] = f'{line["output_error"]:.4f}'
    for heading, name in _OURS.items():
      mean, deviation = 100 * line[name], 100 * line[f'{name}_sd']
      row[heading] = f'{mean:.2f} ± {deviation:.2f}'
    row['ANN readout'] = f'{100 * line["accuracy_rate"]:.2f}'
    rows.append(row)
  return [pd.DataFrame(rows)]


def numbers(records: Mapping[str, pd.DataFrame]) -> dict[str, Number]:
  """Compares each library with the ANN readout of the weights, in points."""
  found = {}
  for line in records['consumers'].to_dict('records'):
    key = '{dataset}_{consumer}_{inputs}'.format(**line)
    difference = line['consumer_accuracy'] - line['accuracy_rate']
    found[f'{key}_minus_ann'] = Number(100 * difference)
    found[f'{key}_error'] = Number(100 * line['output_error'])
  return found


STUDY = Study(
  question=(
    'Does an exported network have the same accuracy in other simulators?'
  ),
  commands={
    'consumers': (
      'python -m experiments.run --num_steps=64 --workdir=runs/digits',
      'python -m experiments.measurements.nir_consumer --workdir=runs/digits '
      '--consumer=sinabs',
    )
  },
  table=table,
  numbers=numbers,
  claims=(
    Claim(
      'At T = 64, the accuracy of networks exported to sinabs and snnTorch, '
      'which reset neurons by subtraction, is within 0.5 points of that of '
      'the ANN readout of their weights, on digits and Fashion-MNIST.',
      (
        'digits_sinabs_spikes_minus_ann',
        'digits_snntorch_spikes_minus_ann',
        'fashion_mnist_sinabs_spikes_minus_ann',
        'fashion_mnist_snntorch_spikes_minus_ann',
      ),
      within=0.5,
    ),
  ),
  text="""
The weights of one run on digits and of one run on Fashion-MNIST (defaults,
T = 64) are exported to [NIR](https://github.com/neuromorphs/NIR), and read by
three libraries. Test images are presented for 64 ticks, as a constant current
or as spikes. `ours` is the mean over 8 draws of the spikes; errors are relative
distances of the mean output from the output of the ANN.

sinabs and snnTorch reset neurons by subtraction, as `ssnn_jax` does: with
spikes, the outputs differ from those of the ANN by
{fashion_mnist_sinabs_spikes_error:.1f} % and
{fashion_mnist_snntorch_spikes_error:.1f} % on Fashion-MNIST. norse resets
neurons to zero, so that potential above the threshold is lost: the difference
is {fashion_mnist_norse_spikes_error:.1f} %, although accuracy differs by only
{fashion_mnist_norse_spikes_minus_ann:.2f} points. Outputs, not only accuracies,
should be compared when porting a network.
`experiments.measurements.nir_consumer` lists the settings of each library.
""",
)
