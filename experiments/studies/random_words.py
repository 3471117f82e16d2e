"""Random words of spike thresholds in the statistical tests of dieharder."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.study import Study

_COMMAND = (
  'python -m experiments.measurements.random_words --seed=0 | '
  'dieharder -g 200 -d 100 -c , -D test_name -D ntuple -D tsamples '
  '-D psamples -D pvalues -D assessment'
)


def _count(lines):
  return {
    'tests': lines['test'].nunique(),
    'p_values': len(lines),
    'weak': (lines['assessment'] == 'WEAK').sum(),
    'failed': (lines['assessment'] == 'FAILED').sum(),
  }


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Counts tests and assessments, one row a seed."""
  rows = []
  for seed, own in lines.groupby('seed'):
    p_values = own['p_value']
    rows.append(
      {'seed': seed}
      | _count(own)
      | {
        'smallest': f'{p_values.min():.4f}',
        'largest': f'{p_values.max():.4f}',
      }
    )
  return [pd.DataFrame(rows).astype(str)]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws the distribution of the p-values next to the uniform one."""
  fig, (axes,) = style.make(1, height=3.4)
  axes.plot([0, 1], [0, 1], color=style.BLACK, linewidth=1, label='uniform')
  for (seed, own), color in zip(lines.groupby('seed'), style.COLORS):
    axes.ecdf(own['p_value'], color=color, label=f'seed {seed}')
  axes.set_xlabel('p-value')
  axes.set_ylabel('cumulative fraction\nof p-values')
  axes.grid(alpha=0.3)
  style.legend_below(fig, [axes])
  style.set_title(fig, 'dieharder on the words of spike thresholds')
  return fig


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Counts tests, p-values and assessments over both seeds."""
  counts = _count(records['dieharder'])
  return {name: statistics.Number(float(n)) for name, n in counts.items()}


STUDY = Study(
  question='Do the random words of spike thresholds pass statistical tests?',
  commands={'dieharder': (_COMMAND,)},
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(),
  text="""
The thresholds of random trains (`--sampler=bernoulli`) come from a keyed hash.
Its raw words, interleaved over keys, roles, bit planes, neurons, samples and
words of a presentation, were subjected to {tests:.0f} tests of
[dieharder](https://webhome.phy.duke.edu/~rgb/General/dieharder.php) `3.31.1`,
each from the start of the stream, for two seeds (the test
`marsaglia_tsang_gcd` for one seed). The command runs one test, `-d 100`; the
record lists the others.

Of {p_values:.0f} p-values {weak:.0f} was assessed as weak and {failed:.0f} as
failed; by chance one p-value in a hundred is weak.
""",
)
