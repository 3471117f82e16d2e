"""Tests of results: runs, pairs, verdicts, tables and figures."""

import contextlib
import dataclasses
import io
import json
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd

from experiments.runs import records
from experiments.runs.config import ExperimentConfig
from experiments.studies import comparisons
from experiments.studies import figures
from experiments.studies import frames
from experiments.studies import pages
from experiments.studies import studies
from experiments.studies import tables
import ssnn_jax
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import record_run

STUDY = studies.Study(columns=('sampler', 'num_steps'))


def make_runs(differences, num_steps='16', **fields):
  """Returns runs of a network, and of an ANN with differences in points."""
  rows = []
  for seed, difference in enumerate(differences):
    run = {'dataset': 'digits', 'method': 'bp', 'sampler': '', 'num_steps': ''}
    run |= {'seed': seed, 'num_eval_samples': 1000, **fields}
    run['test_accuracy'] = 0.9 + 0.01 * seed
    rows += [run, run | {'method': 'ssnn', 'sampler': 'sobol'}]
    rows[-1]['num_steps'] = num_steps
    rows[-1]['test_accuracy'] += difference / 100
  return pd.DataFrame(rows)


def compare(runs, **changes):
  study = dataclasses.replace(STUDY, **changes)
  return comparisons.compare(runs, study).to_dict('records')


class VerdictTest(parameterized.TestCase):
  @parameterized.parameters(
    ([0.5] * 5, 'within 1 point'),
    ([0.28, 0.28], 'inconclusive (2 of 5 seeds)'),
  )
  def test_setting_has_its_difference_and_verdict(self, differences, verdict):
    (row,) = compare(make_runs(differences))
    self.assertEqual(row['verdict'], verdict)
    self.assertAlmostEqual(row['value'], np.mean(differences), places=9)
    self.assertEqual(row['seeds'], len(differences))
    self.assertAlmostEqual(row['baseline'], 90 + (len(differences) - 1) / 2)

  def test_losses_are_compared_in_nats(self):
    runs = make_runs([0.0] * 5, dataset='mnist')
    runs['test_loss'] = 1.6
    of_spikes = 1.6 + np.array([0.003, 0.005, 0.004, 0.003, 0.005])
    runs.loc[runs['method'] == 'ssnn', 'test_loss'] = of_spikes
    study = dataclasses.replace(
      STUDY,
      metrics=(studies.ACCURACY, studies.LOSS),
      margins={'mnist': (studies.LOSS, 0.02)},
    )
    compared = comparisons.compare(runs, study)
    (row,) = compared.to_dict('records')
    self.assertEqual(row['text'], '+0.004 ± 0.001')
    self.assertEqual(
      (row['verdict'], row['baseline']), ('within 0.02 nats', 1.6)
    )
    caption, *_, row = tables.table(compared, study).splitlines()
    self.assertStartsWith(caption, 'Accuracies minus ANN in points, losses in ')
    self.assertIn('| 1.600 ', row)

  def test_folds_share_training_samples(self):
    differences = [0.0, 1.0, -1.0, 0.5, -0.5]
    columns = (*STUDY.columns, 'folds')
    (seeds,) = compare(make_runs(differences))
    (folds,) = compare(make_runs(differences, folds='5'), columns=columns)
    # The variance has the factor 1 / J + n_test / n_train instead of 1 / J.
    ratio = np.sqrt((1 / 5 + 1 / 4) / (1 / 5))
    self.assertAlmostEqual(folds['half_width'] / seeds['half_width'], ratio)


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
    # An empty field is that of any, unless there is the same one.
    slow.loc[slow['method'] == 'bp', 'learning_rate'] = ''
    for runs in ([fast, slow], [slow, fast]):
      rows = compare(pd.concat(runs), columns=columns)
      found = {row['learning_rate']: row['baseline'] for row in rows}
      self.assertAlmostEqual(found['1.0'], 92)
      self.assertAlmostEqual(found['0.5'], 82)

  def test_anns_of_several_t_are_those_of_recordings(self):
    first, second = make_runs([0.5] * 5, '64'), make_runs([-0.5] * 5, '256')
    for runs, num_steps in ((first, '64'), (second, '256')):
      runs.loc[runs['method'] == 'bp', 'num_steps'] = num_steps
    second['test_accuracy'] -= 0.1
    network = second[second['method'] == 'ssnn']
    for others, value in ((second, -0.5), (network, -10.5)):  # ANN of T = 64
      runs = pd.concat([first, others], ignore_index=True)
      with mock.patch.object(frames, 'path') as path:
        path.return_value = io.StringIO(runs.to_csv(index=False))
        values = [row['value'] for row in compare(frames.read_csv('own'))]
      self.assertSequenceAlmostEqual(values, [0.5, value])

  def test_runs_of_other_samples_are_not_paired(self):
    runs = make_runs([0.5] * 5).assign(data_sha256='a')
    of_other = runs.assign(data_sha256=['a'] * 9 + ['b'])  # the last network
    with self.assertRaisesRegex(ssnn_jax.UserError, 'seed 4 .*is a and b'):
      compare(of_other)
    of_other.loc[of_other.index[8], 'data_sha256'] = ''  # not recorded
    self.assertEqual(compare(of_other), compare(runs))
    # The one ANN of recordings has samples of one T.
    binned = of_other.assign(dataset='n_mnist', data_sha256=['a', 'b'] * 5)
    self.assertLen(compare(binned), 1)
    binned.loc[binned['method'] == 'bp', 'num_steps'] = '16'
    with self.assertRaisesRegex(ssnn_jax.UserError, 'seed 0 '):
      compare(binned)


class TableTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    runs = pd.concat([make_runs([-2.0] * 5, '4'), make_runs([0.5] * 5, '16')])
    self.runs = runs.drop_duplicates(['method', 'num_steps', 'seed'])

  def test_table_has_a_column_for_each_t(self):
    table = tables.table(comparisons.compare(self.runs, STUDY), STUDY)
    caption, _, *table = table.split('\n')
    self.assertEndsWith(caption, 'the margin is 1:')
    self.assertLen({len(line) for line in table}, 1)
    lines = [line.split('|')[1:-1] for line in table]
    header, _, row = [[cell.strip() for cell in line] for line in lines]
    heads = 'N, T = 4', 'N, T = 16'
    self.assertEqual(header, ['ANN, %', *heads, 'verdict', 'seeds'])
    verdict = f'within 1 point: {heads[1]}; not within: {heads[0]}'
    self.assertEqual(
      row, ['92.0', '-2.00 ± 0.12', '+0.50 ± 0.12', verdict, '5']
    )

  def test_figure_draws_accuracies_against_additions(self):
    runs = self.runs.assign(additions=0.9)
    metrics = studies.ACCURACY, 'additions'
    study = dataclasses.replace(STUDY, metrics=metrics, against=metrics[1:])
    fig = figures.draw(comparisons.compare(runs, study), study)
    (axes,) = fig.axes
    points = [bar[0].get_xydata()[0] for bar in axes.containers]
    np.testing.assert_allclose(points, [[0.9, -2.0], [0.9, 0.5]])
    labels = [text.get_text() for text in fig.legends[0].get_texts()]
    self.assertContainsSubset(['N, T = 4', 'N, T = 16'], labels)

  def test_figures_draw_intervals_and_the_margin(self):
    compared = comparisons.compare(self.runs, STUDY)
    for across, side in (('num_steps', 1), ('metric', 0)):
      study = dataclasses.replace(STUDY, across=across)
      fig = figures.draw(compared, study)
      (axes,) = fig.axes
      labels = [text.get_text() for text in fig.legends[0].get_texts()]
      self.assertContainsSubset(['ANN', 'margin'], labels)
      drawn = [x for bar in axes.containers for x in bar[0].get_data()[side]]
      self.assertSequenceAlmostEqual(drawn, [-2.0, 0.5])
      (bars,) = axes.containers[0][2]  # of the intervals
      ends = [segment[:, side] for segment in bars.get_segments()]
      np.testing.assert_allclose(np.mean(ends, axis=1), drawn)
      np.testing.assert_allclose(
        np.ptp(ends, axis=1), 2 * compared['half_width']
      )


class RunsTest(FolderTestCase):
  def write(self, name, seeds=(0,), digest='00', accuracy=0.9, **changes):
    """Writes the folder of a finished run."""
    config = dataclasses.replace(ExperimentConfig(), seed=seeds[0], **changes)
    line = {'layers': '256,10', 'num_eval_samples': 360}
    line |= {'params_sha256': digest, 'data_sha256': '0123456789abcdef'}
    line |= {'train_seconds': 12.34, 'accelerator': 'cpu'}
    record_run(
      records.Task(config, len(seeds), self.folder / name),
      numbers=lambda own: line | {'test_accuracy': accuracy + 0.01 * own.seed},
    )

  def test_copies_are_counted_once(self):
    self.write('a', seeds=(0, 1))
    self.write('b')
    self.write('c', seeds=(1,))
    runs = frames.read(self.folder)
    self.assertEqual(list(runs['seed']), [0, 1])
    self.assertEqual(list(runs['layers']), ['256,10'] * 2)

  def test_fields_that_a_method_ignores_are_empty(self):
    self.write('ann', method='bp')
    self.write('chip', method='chip', fraction_bits=(10, 9))
    self.write('own', neuron='stochastic', exact=('forward', 'update'))
    names = 'num_steps', 'fraction_bits', 'exact', 'learning_rate'
    ann, chip, own = frames.read(self.folder)[[*names]].values.tolist()
    self.assertEqual(ann, ['', '', '', '1.0'])
    self.assertEqual(chip, ['64', '10,9', '', '1.0'])
    self.assertEqual(own[::2], ['64', 'forward,update'])

  def test_sweep_of_a_grid_is_shown_and_exported(self):
    self.write('ann', range(5), method='bp')
    for device in ('ecram', 'reram'):
      fields = {'device': device, 'neuron': 'stochastic', 'accuracy': 0.895}
      self.write(device, range(5), **fields)
    (self.folder / 'sweep.json').write_text('{"study": null}')
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      pages.show(self.folder)
    self.assertRegex(printed.getvalue(), r'(?s)\| ECRAM .*\| ReRAM ')
    self.assertTrue((self.folder / 'results.png').exists())
    rows = (self.folder / 'results.csv').read_text().splitlines()
    self.assertStartsWith(rows[0], 'dataset,method,device,seed,test_accuracy,')
    self.assertStartsWith(rows[1], 'digits,bp,,0,0.9,')
    self.assertStartsWith(rows[6], 'digits,ssnn,ecram,0,0.895,')
    self.assertLen(rows, 16)

  def test_export_replaces_the_rows_of_a_data_set(self):
    self.write('ann', range(2), method='bp')
    self.write('own', range(2), num_steps=16)
    others = frames.read_csv('parity').drop(columns='train_seconds')
    others.to_csv(self.folder / 'parity.csv', index=False)
    source = frames.path('parity', 'md')
    (self.folder / source.name).write_text(source.read_text())
    with mock.patch.object(frames, 'FOLDER', self.folder):
      known = frames.read_csv('parity')
      pages.export('parity', self.folder)
      runs = frames.read_csv('parity')
      pages.write_page('parity')
      page = frames.path('parity', 'md').read_text()
      efforts = pages.efforts_table()
    self.assertRegex(efforts, r'parity\.md\) *\| 4 *\| 0\.0 ')  # of 12.3 s
    others = known[known['dataset'] != 'digits']
    self.assertLen(runs, len(others) + 4)
    own = runs[runs['dataset'] == 'digits']
    self.assertEqual(list(own['test_accuracy']), [0.9, 0.91] * 2)
    self.assertEqual({*own['train_seconds']}, {12.3})
    self.assertEqual({*own['data_sha256']}, {'01234567'})
    self.assertEqual({*own['params_sha256']}, {'00'})
    self.assertIn('| +0.00\xa0±\xa02.50 |', page)

  def test_lines_and_reports_replace_those_of_the_same_setting(self):
    fields = {'weight_bits': 10, 'fraction_bits': (10, 9), 'num_steps': 16}
    self.write('runs/chip', method='chip', **fields)
    line = {'dataset': 'digits', 'method': 'chip', 'layers': '256,10'}
    report = self.folder / 'report.json'
    line = json.dumps(line | fields | {'block_rams': 12}, indent=2)
    report.write_text(line)
    lines = self.folder / 'lines.jsonl'  # of which one is being written
    line = line.replace('\n', '')
    other = line.replace('12', '13').replace('16', '32')
    lines.write_text(f'{{"event": "header"}}\n{line}\n{other}\n{{"datas')
    with mock.patch.object(frames, 'FOLDER', self.folder):
      for source in 2 * (report, self.folder / 'runs', lines):
        pages.export('chip', source)
      after = frames.read_csv('chip')
    self.assertEqual(list(after['num_steps']), ['16', '16', '32'])
    compared = comparisons.compare(after, studies.load('chip'))
    texts = compared.set_index(['num_steps', 'metric'])['text']
    self.assertEqual(texts['16', 'test_accuracy'], '90.00 %')
    self.assertEqual(texts['16', 'block_rams'], '12')
    self.assertEqual(texts['32', 'block_rams'], '13')

  def test_other_weights_of_equal_runs_are_refused(self):
    self.write('a')
    self.write('b', digest='11')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'seed 0 .*other weights'):
      frames.read(self.folder)

  def test_runs_that_columns_do_not_distinguish_are_refused(self):
    self.write('8', batch_size=8)
    self.write('16', batch_size=16)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'differ in batch_size'):
      pages.export('parity', self.folder)
    self.write('8/evaluated', batch_size=8, eval_every=1)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'same settings and seed .*=8'
    ):
      pages.show(self.folder)
