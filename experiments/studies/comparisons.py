"""Comparisons of settings with the baseline of a study, seed by seed."""

import math

import pandas as pd

from experiments.studies import frames
from experiments.studies import studies
import ssnn_jax
from ssnn_jax.datasets import catalog
from ssnn_jax.training import statistics


def compare(runs: pd.DataFrame, study: studies.Study) -> pd.DataFrame:
  """Compares settings with the baseline of a study, seed by seed.

  Returns:
    A row for each setting that the study shows, except the baseline, and each
    metric: `value`, an accuracy minus the baseline in percentage points, a loss
    minus the baseline in nats, or the mean of another metric; `half_width` of
    its 95 % interval; `seeds`, their number; `baseline`, its accuracy in
    percent, or its loss; `margin`; `text`, and of a difference the `verdict`.
    A data set has the accuracy or the loss, by the margins of the study.
    Parameters of devices are those that differ.

  Raises:
    UserError: if paired runs were trained on other samples.
  """
  fields = [name for name in frames.setting_fields(study) if name in runs]
  paired = [name for name in fields if name not in study.baseline]
  settings, baselines, rows = [], [], []
  for cells, group in runs.groupby(fields, sort=False):
    setting = dict(zip(fields, cells))
    is_baseline = all(
      value in (None, setting.get(name))
      for name, value in study.baseline.items()
    )
    (baselines if is_baseline else settings).append((setting, group))
  for setting, group in settings:
    shown = [setting.get(x) in y for x, y in study.shown.items()]
    if setting.get(study.across) == '' or not all(shown):
      continue
    # The one with most of its cells; an empty one stands for any.
    bases = [
      (sum(map(bool, cells.values())), base)
      for cells, base in baselines
      if all(cells[name] in ('', setting[name]) for name in paired)
    ]
    _, base = max(bases, key=lambda own: own[0], default=(0, None))
    compared, margin = study.margins.get(
      setting['dataset'], (studies.ACCURACY, study.margin)
    )
    margin = 1.0 if setting['dataset'] == 'digits' else margin
    others = {studies.ACCURACY, studies.LOSS} - {compared}
    for metric in study.metrics:
      if metric in group and group[metric].count() and metric not in others:
        made = _compare(group, base, metric, margin, study.weak_margin)
        rows.append(setting | {'metric': metric} | made)
  compared = pd.DataFrame(rows)
  if 'device_params' in compared:
    params = [text.split(',') for text in compared['device_params']]
    varied = [set(row) for row in params if row != ['']]
    shared = set.intersection(*varied) if varied else set()
    short = [','.join(x for x in row if x not in shared) for row in params]
    compared = compared.assign(device_params=short)
  return compared


def _compare(group, base, metric, margin, weak_margin):
  """Returns the numbers of a setting: a difference, or without base a mean."""
  is_accuracy, pairs = metric.startswith(studies.ACCURACY), group.head(0)
  unit, baseline, verdict = 100 if is_accuracy else 1, math.nan, ''
  if (is_accuracy or metric == studies.LOSS) and base is not None:
    if metric not in base or not base[metric].count():  # ANNs have one readout
      base = base.assign(**{metric: base[studies.ACCURACY]})
    pairs = group.merge(base, on='seed', suffixes=('', '_base'))
    _refuse_other_data(pairs)
  if pairs.empty:
    mean = unit * group[metric].mean()
    number = group[metric].count()
    difference = statistics.Difference(mean, math.nan, math.nan, number)
    text = f'{mean:.3g}' if abs(mean) < 1000 else f'{mean:.0f}'
    text = f'{mean:.2f} %' if is_accuracy else text
  else:
    of_base, size = pairs[f'{metric}_base'], pairs['num_eval_samples'].iloc[0]
    folds = pairs['folds'].iloc[0] if 'folds' in pairs else ''
    overlap = 1 / (int(folds) - 1) if folds else 0.0
    difference = statistics.paired_difference(
      pairs[metric] * (unit / 100),
      of_base * (unit / 100),
      int(size) if is_accuracy else math.inf,  # losses are never alike
      overlap=overlap,
    )
    baseline = unit * of_base.mean()
    if is_accuracy and weak_margin and of_base.mean() < 0.85:
      margin = max(margin, weak_margin)
    text = f'{difference:{".2f" if is_accuracy else ".3f"}}'
    classes = base['layers'].iloc[0].split(',')[-1] if 'layers' in base else ''
    # Of balanced classes.
    chance = 1 / int(classes) if classes.isdecimal() else 0
    if is_accuracy and statistics.is_at_chance(of_base.mean(), chance):
      verdict = 'at chance'
    else:
      unit = 'point' if is_accuracy else 'nat'
      verdict = statistics.verdict(difference, margin, unit)
  return {
    'value': difference.mean,
    'half_width': difference.half_width,
    'seeds': difference.num_seeds,
    'baseline': baseline,
    'margin': margin,
    'text': text,
    'verdict': verdict,
  }


def _refuse_other_data(pairs):
  """Raises a user error if both runs of a pair have data, but not the same.

  The one ANN of recordings that is compared with all T has the data of one.
  """
  for pair in pairs.to_dict('records'):
    digests = {pair.get(f'data_sha256{of}') for of in ('', '_base')}
    has_own_t = pair.get('num_steps') != pair.get('num_steps_base')
    is_binned = has_own_t and catalog.is_recorded(pair['dataset'])
    if len(digests - {'', None}) > 1 and not is_binned:
      raise ssnn_jax.UserError(
        f'the runs of seed {pair["seed"]} were trained on other samples of '
        f'{pair["dataset"]} than their baseline (data_sha256 is '
        f'{" and ".join(sorted(digests))}); train them again on the same data.'
      )
