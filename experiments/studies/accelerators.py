"""Operations and memory of a learning step on GPU and TPU."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis import statistics
from experiments.analysis.study import Study

_COUNTED = (
  'loop_steps',
  'products',
  'reductions',
  'gigaoperations',
  'temporaries_mib',
)


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists the work of each case, one row for all platforms that share it."""
  varied = ['sampler', 'num_steps', 'window', *_COUNTED]
  grouped = lines.groupby(varied, sort=False)['platform'].agg(', '.join)
  made = grouped.reset_index().rename(columns={'num_steps': 'T', 'window': 'n'})
  return [made.astype(str)]


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Returns what is counted, by platform, sampler, T and window."""
  return {
    f'{line["platform"]}_{line["sampler"]}_t{line["num_steps"]}'
    f'_n{line["window"]}_{name}': statistics.Number(float(line[name]))
    for line in records['exported'].to_dict('records')
    for name in _COUNTED
  }


STUDY = Study(
  question='How many operations is a learning step on a GPU or TPU?',
  commands={
    'exported': (
      'python -m experiments.measurements.accelerators --num_steps=64,256',
    ),
  },
  table=table,
  numbers=numbers,
  claims=(),
  text="""
Nothing was timed on a GPU or TPU here; this is what can be counted without one,
for 784-256-10 and batches of `1024`. Steps of loops run one after another;
matrix products and reductions are launches of their own, and elementwise
operations are fused into few more. Coincidences are int8 products of all ticks:
at T = 256 a step takes {cuda_bernoulli_t256_n32_gigaoperations:.0f} billion
multiplications and additions, in
{cuda_bernoulli_t256_n32_loop_steps:.0f} steps of a loop with windows of 32
ticks. Temporaries are those that XLA plans on CPU for the same program:
{cuda_bernoulli_t64_n32_temporaries_mib:.0f} MiB at T = 64 and
{cuda_bernoulli_t256_n32_temporaries_mib:.0f} at 256; with a single window and
low-discrepancy trains {cuda_sobol_t64_n64_temporaries_mib:.0f} and
{cuda_sobol_t256_n256_temporaries_mib:.0f}.

To time them on an accelerator: `python -m experiments.benchmark
--num_steps=64,256 --batch_size=128,1024 --representations=dense`, whose header
names the device.
""",
)
