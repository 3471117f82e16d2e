"""Tests of results: runs, pairs, verdicts, tables and figures."""

import contextlib
import dataclasses
import io
import json
import math
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import pandas as pd
from scipy import stats

from experiments import config as config_lib
from experiments import results
from experiments import studies
from experiments.config import ExperimentConfig
import ssnn_jax

NUM_SAMPLES = 1000
STUDY = studies.Study(columns=('sampler', 'num_steps'), rows=('sampler',))


def make_runs(differences, num_steps='16', **fields):
  """Returns runs of a network and of the ANN, one pair a seed.

  Args:
    differences: accuracy minus that of the ANN of each seed, in points.
    num_steps: T of the network.
    **fields: other fields of the runs.
  """
  rows = []
  for seed, difference in enumerate(differences):
    accuracy = 0.9 + 0.01 * seed
    shared = {'dataset': 'digits', 'seed': seed, **fields}
    shared['num_eval_samples'] = NUM_SAMPLES
    ann = {'method': 'bp', 'sampler': '', 'num_steps': ''}
    own = {'method': 'ssnn', 'sampler': 'sobol', 'num_steps': num_steps}
    rows += [
      shared | ann | {'test_accuracy': accuracy},
      shared | own | {'test_accuracy': accuracy + difference / 100},
    ]
  return pd.DataFrame(rows)


def compare(runs, **changes):
  study = dataclasses.replace(STUDY, **changes)
  return results.compare(runs, study).to_dict('records')


class VerdictTest(parameterized.TestCase):
  @parameterized.parameters(
    ([0.5] * 5, 'within 1 point'),
    ([-1.2] * 5, 'not within'),
    ([0.0, 5.0, -5.0, 2.0, -2.0], 'inconclusive'),
    ([0.28, 0.28], 'inconclusive (2 of 5 seeds)'),
    ([0.5], 'inconclusive (1 of 5 seeds)'),
  )
  def test_setting_has_its_difference_and_verdict(self, differences, verdict):
    (row,) = compare(make_runs(differences))
    self.assertEqual(row['verdict'], verdict)
    self.assertAlmostEqual(row['value'], np.mean(differences), places=9)
    self.assertEqual(row['seeds'], len(differences))
    self.assertAlmostEqual(row['baseline'], 90 + (len(differences) - 1) / 2)

  def test_digits_have_a_margin_of_their_own(self):
    runs = make_runs([0.25] * 5)
    verdicts = [
      compare(runs.assign(dataset=name), margin=0.3)[0]['verdict']
      for name in ('digits', 'own')
    ]
    self.assertEqual(verdicts, ['within 1 point', 'inconclusive'])

  def test_folds_share_training_samples(self):
    differences = [0.0, 1.0, -1.0, 0.5, -0.5]
    columns = (*STUDY.columns, 'folds')
    (row,) = compare(make_runs(differences, folds='5'), columns=columns)
    # (1 / J + n_test / n_train) times the variance over J folds
    error = np.std(differences, ddof=1) * math.sqrt(1 / 5 + 1 / 4)
    width = stats.t.ppf(0.975, 4) * error
    self.assertAlmostEqual(row['half_width'], width, places=9)


class PairsTest(parameterized.TestCase):
  def test_only_common_seeds_are_paired(self):
    runs = make_runs([0.1, 0.2, 0.3])
    (row,) = compare(runs.drop(index=runs.index[0]))  # the ANN of seed 0
    self.assertEqual(row['seeds'], 2)
    self.assertAlmostEqual(row['value'], 0.25)
    (row,) = compare(runs.drop(index=runs.index[[0, 3, 5]]))
    self.assertEqual((row['text'], row['verdict']), ('90.10 %', ''))

  def test_ann_has_the_fields_that_affect_it(self):
    columns = (*STUDY.columns, 'learning_rate')
    fast = make_runs([0.5] * 5, learning_rate='1.0')
    slow = make_runs([-0.5] * 5, learning_rate='0.5')
    slow['test_accuracy'] -= 0.1
    rows = compare(pd.concat([fast, slow]), columns=columns)
    self.assertSequenceAlmostEqual([x['value'] for x in rows], [0.5, -0.5])
    self.assertSequenceAlmostEqual([x['baseline'] for x in rows], [92, 82])
    alone = pd.concat([fast, slow[slow['method'] == 'ssnn']])
    *_, row = compare(alone, columns=columns)
    self.assertEqual(row['verdict'], '')

  def test_anns_of_several_t_are_those_of_recordings(self):
    first, second = make_runs([0.5] * 5, '64'), make_runs([-0.5] * 5, '256')
    for runs, num_steps in ((first, '64'), (second, '256')):
      runs.loc[runs['method'] == 'bp', 'num_steps'] = num_steps
    second['test_accuracy'] -= 0.1
    both = results._to_numbers(pd.concat([first, second], ignore_index=True))
    values = [row['value'] for row in compare(both)]
    self.assertSequenceAlmostEqual(values, [0.5, -0.5])
    one = second['method'] == 'ssnn'  # both are compared with T = 64
    both = results._to_numbers(
      pd.concat([first, second[one]], ignore_index=True)
    )
    values = [row['value'] for row in compare(both)]
    self.assertSequenceAlmostEqual(values, [0.5, -10.5])

  def test_baseline_of_another_method_ignores_its_own_fields(self):
    runs = make_runs([0.2] * 5)
    other = runs[runs['method'] == 'ssnn'].assign(sampler='bernoulli')
    other['test_accuracy'] += 0.01
    baseline = {'method': 'ssnn', 'sampler': 'sobol', 'num_steps': None}
    rows = compare(pd.concat([runs, other]), baseline=baseline)
    found = {(x['method'], x['sampler']): x['value'] for x in rows}
    self.assertAlmostEqual(found['ssnn', 'bernoulli'], 1.0)
    self.assertNotIn(('ssnn', 'sobol'), found)

  def test_errors_are_means_without_a_verdict(self):
    runs = make_runs([0.0] * 5).assign(update_error=[0.0, 0.25] * 5)
    *_, row = compare(runs, metrics=('test_accuracy', 'update_error'))
    self.assertEqual((row['text'], row['verdict']), ('0.25', ''))


class TableTest(absltest.TestCase):
  def test_table_has_a_column_for_each_t(self):
    runs = pd.concat(
      [make_runs([-2.0] * 5, '4'), make_runs([0.5] * 5, '16')]
    ).drop_duplicates(['method', 'num_steps', 'seed'])
    table = results.table(results.compare(runs, STUDY), STUDY)
    lines = [line.split('|')[1:-1] for line in table.split('\n')]
    header, _, row = [[cell.strip() for cell in line] for line in lines]
    self.assertEqual(header, ['ANN, %', 'T = 4', 'T = 16', 'verdict', 'seeds'])
    verdict = 'within 1 point: T = 16; not within: T = 4'
    self.assertEqual(
      row, ['92.0', '-2.00 ± 0.12', '+0.50 ± 0.12', verdict, '5']
    )
    self.assertLen({len(line) for line in table.split('\n')}, 1)

  def test_figures_draw_intervals_and_the_margin(self):
    runs = pd.concat([make_runs([-2.0] * 5, '4'), make_runs([0.5] * 5, '16')])
    runs = runs.drop_duplicates(['method', 'num_steps', 'seed'])
    compared = results.compare(runs, STUDY)
    for kind, log in (('lines', 'log'), ('points', 'linear')):
      study = dataclasses.replace(STUDY, figure=kind)
      fig = results.draw(compared, study)
      fig.draw_without_rendering()
      (axes,) = fig.axes
      self.assertEqual(axes.get_xscale(), log)
      labels = [text.get_text() for text in fig.legends[0].get_texts()]
      self.assertContainsSubset(['ANN', '± 1 point'], labels)
      values = [y for bar in axes.containers for y in bar[0].get_data()[1]]
      if kind == 'points':
        values = [x for bar in axes.containers for x in bar[0].get_data()[0]]
      self.assertSequenceAlmostEqual(values, [-2.0, 0.5])


class RunsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def write(self, name, seeds=(0,), digest='00', accuracy=0.9, **changes):
    """Writes the folder of a finished run."""
    config = dataclasses.replace(ExperimentConfig(), seed=seeds[0], **changes)
    folder = self.folder / name
    folder.mkdir(parents=True)
    fields = config_lib.to_json(config) | {'num_seeds': len(seeds)}
    (folder / 'config.json').write_text(json.dumps(fields))
    lines = [{'event': 'epoch', 'seed': seeds[0], 'epoch': 1, 'loss': 1.0}]
    lines += [
      {
        'event': 'final',
        'seed': seed,
        'layer_sizes': [64, 256, 10],
        'test_accuracy': accuracy + 0.01 * seed,
        'num_eval_samples': 360,
        'params_sha256': digest,
      }
      for seed in seeds
    ]
    text = ''.join(f'{json.dumps(line)}\n' for line in lines)
    (folder / 'metrics.jsonl').write_text(text)

  def test_copies_are_counted_once(self):
    self.write('a', seeds=(0, 1))
    self.write('b')
    self.write('c', seeds=(1,))
    runs = results.read(self.folder)
    self.assertEqual(list(runs['seed']), [0, 1])
    self.assertEqual(list(runs['layer_sizes']), ['64-256-10'] * 2)

  def test_fields_that_a_method_ignores_are_empty(self):
    self.write('ann', method='bp')
    self.write('own', gain=(1.0, 2.0), rates=('inputs', 'forward'))
    ann, own = results.read(self.folder).to_dict('records')
    for name, cells in {
      'num_steps': ('', '64'),
      'gain': ('', '1.0-2.0'),
      'rates': ('', 'inputs+forward'),
      'learning_rate': ('1.0', '1.0'),
    }.items():
      self.assertEqual((ann[name], own[name]), cells, name)

  def test_sweep_of_a_grid_is_shown_and_exported(self):
    self.write('ann', range(5), method='bp')
    for num_steps in (4, 16):
      self.write(f'T{num_steps}', range(5), num_steps=num_steps, accuracy=0.895)
    (self.folder / 'sweep.json').write_text('{"study": null}')
    results.show(self.folder)
    self.assertTrue((self.folder / 'results.png').exists())
    rows = (self.folder / 'results.csv').read_text().splitlines()
    self.assertEqual(
      rows[0], 'dataset,method,num_steps,seed,test_accuracy,num_eval_samples'
    )
    self.assertEqual(rows[1], 'digits,bp,,0,0.9,360')
    self.assertEqual(rows[6], 'digits,ssnn,4,0,0.895,360')
    self.assertLen(rows, 16)

  def test_sweep_of_a_study_may_vary_further_fields(self):
    self.write('ann', method='bp')
    for size in (8, 128):
      self.write(f'{size}', num_steps=16, batch_size=size)
    (self.folder / 'sweep.json').write_text('{"study": "spike_train_length"}')
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      results.show(self.folder)
    header, *_ = (self.folder / 'results.csv').read_text().splitlines()
    self.assertStartsWith(header, 'dataset,method,window,num_steps,batch_size,')
    # Rows are sorted by value, not as text.
    table = printed.getvalue()
    self.assertRegex(table, r'(?s)^Accuracy:\n.*\| 8 .*\| 128 ')

  def test_lines_of_a_measurement_are_read(self):
    file = self.folder / 'lines.jsonl'
    file.write_text(
      '{"event": "header"}\n'
      '{"dataset": "digits", "method": "ssnn", "layer_sizes": [64, 5, 10],'
      ' "num_steps": 16, "update_error": 0.25}\n'
    )
    (row,) = results.read(file).to_dict('records')
    self.assertEqual(row['layer_sizes'], '64-5-10')
    self.assertEqual((row['num_steps'], row['update_error']), ('16', 0.25))

  def test_report_of_a_board_is_read(self):
    file = self.folder / 'report.json'
    line = {'dataset': 'digits', 'method': 'chip', 'layer_sizes': [64, 16, 10]}
    file.write_text(json.dumps(line | {'block_rams': 12}, indent=2))
    (row,) = results.read(file).to_dict('records')
    self.assertEqual((row['layer_sizes'], row['block_rams']), ('64-16-10', 12))

  def test_export_replaces_the_rows_of_a_data_set(self):
    self.write('ann', range(2), method='bp')
    self.write('own', range(2), num_steps=16)
    for name in ('csv', 'md'):
      source = results.path('spike_train_length', name)
      (self.folder / source.name).write_text(source.read_text())
    with mock.patch.object(results, 'FOLDER', self.folder):
      known = results.read_csv('spike_train_length')
      results.export('spike_train_length', self.folder)
      runs = results.read_csv('spike_train_length')
      results.write_page('spike_train_length')
      page = results.path('spike_train_length', 'md').read_text()
    others = known[known['dataset'] != 'digits']
    self.assertLen(runs, len(others) + 4)
    own = runs[runs['dataset'] == 'digits']
    self.assertEqual(list(own['test_accuracy']), [0.9, 0.91] * 2)
    self.assertIn('| +0.00\xa0±\xa02.50 |', page)
    self.assertIn('inconclusive (2 of 5 seeds)', page)
    self.assertIn('minus ANN in points, and 95 % intervals', page)
    self.assertIn('the margin is 1:', page)

  def test_export_replaces_the_settings_of_a_measurement(self):
    known = results.read_csv('benchmark')
    line = {k: v for k, v in known.iloc[-1].to_dict().items() if v != ''}
    line = {k: v for k, v in line.items() if v == v} | {'ratio_to_bp': 0.5}
    file = self.folder / 'lines.jsonl'
    file.write_text(f'{json.dumps(line)}\n')
    text = results.path('benchmark').read_text()
    (self.folder / 'benchmark.csv').write_text(text)
    with mock.patch.object(results, 'FOLDER', self.folder):
      results.export('benchmark', file)
      after = results.read_csv('benchmark')
      with self.assertRaisesRegex(ssnn_jax.UserError, 'lacks the marks'):
        results.write_page('benchmark')  # which is missing
    self.assertLen(after, len(known))
    is_changed = ~after['ratio_to_bp'].isin(known['ratio_to_bp'])
    self.assertEqual(list(after[is_changed]['ratio_to_bp']), [0.5])

  def test_runs_and_reports_of_a_chip_replace_their_own(self):
    fields = {'weight_bits': 10, 'fraction_bits': (10, 9), 'num_steps': 16}
    self.write('runs/chip', method='chip', **fields)
    line = {'dataset': 'digits', 'method': 'chip', 'layer_sizes': [64, 256, 10]}
    file = self.folder / 'report.json'
    file.write_text(json.dumps(line | fields | {'block_rams': 12}))
    with mock.patch.object(results, 'FOLDER', self.folder):
      for source in 2 * (file, self.folder / 'runs'):
        results.export('chip', source)
      after = results.read_csv('chip')
    self.assertLen(after, 2)
    compared = results.compare(after, results.studies.load('chip'))
    texts = compared.set_index('metric')['text']
    self.assertEqual(texts['test_accuracy'], '90.00 %')
    self.assertEqual(texts['block_rams'], '12')

  def test_other_weights_of_equal_runs_are_refused(self):
    self.write('a')
    self.write('b', digest='11')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'seed 0 .* other weights'):
      results.read(self.folder)

  def test_fields_that_are_no_columns_are_refused(self):
    self.write('ann', method='bp')
    for batch_size in (8, 16):
      self.write(f'{batch_size}', batch_size=batch_size)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'differ in batch_size'):
      results.export('spike_train_length', self.folder)
