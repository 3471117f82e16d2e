"""Tests of marks in pages and of the recorded numbers that they name."""

import pathlib
import tempfile

from absl.testing import parameterized

from experiments import cells
from experiments import listings
from experiments import pages
from experiments import summary
from experiments import tables
import ssnn_jax
from ssnn_jax.runs import records

DIGITS = 'spike_train_length-digits'
VARIANTS = 'variants-fashion_mnist'
RECORDS = sorted(path.name for path in tables.FOLDER.iterdir())


class TablesTest(parameterized.TestCase):
  @parameterized.parameters(*RECORDS, 'energy-digits by crossbar')
  def test_parsed_tables_have_the_same_layout(self, record):
    laid = [
      summary.layout([table.header, *table.rows])
      for table in tables.tables(record)
    ]
    blocks = tables.text(record).split('\n\n')
    self.assertEqual(laid, [block for block in blocks if '\n---' in block])
    self.assertNotEmpty(laid)

  def test_facts_match_the_runs(self):
    runs = list(records.find(tables.folder('attribution-fashion_mnist')))
    seconds = sum(
      run.final['train_seconds'] / run.final['seeds_at_once'] for run in runs
    )
    facts = tables.facts('attribution-fashion_mnist')
    self.assertEqual(facts['minutes'], f'{seconds / 60:.1f}')
    self.assertEqual(facts['runs'], str(len(runs)))
    self.assertEqual(facts['seeds'], '5')
    self.assertEqual(facts['device'], runs[0].events[0]['device'])
    self.assertEqual(facts['jax'], runs[0].events[0]['versions']['jax'])
    self.assertIn(
      f'ANN (BP): {facts["ANN (BP)"]}',
      tables.text('attribution-fashion_mnist'),
    )

  def test_rejects_missing_records(self):
    for name in ('nothing', '..', ''):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a record'):
        tables.text(name)

  def test_table_of_consumers_has_all_libraries(self):
    table = listings.consumers(tables.folder('nir_consumers'))
    self.assertLen(table.splitlines(), 2 + 12 // 2)


class CellsTest(parameterized.TestCase):
  @parameterized.parameters(*RECORDS)
  def test_shortest_unique_labels_name_their_cells(self, record):
    for table in tables.tables(record):
      names, place = [], 0
      while not place or len(set(names)) < len(table.rows):
        place += 1
        labels = [filter(None, row[:place]) for row in table.rows]
        names = list(map(' '.join, labels))
      for name, row in zip(names, table.rows):
        for column, cell in zip(table.header[place:], row[place:]):
          if cell and column:
            reference = f'{record}: {name}; {column}'
            self.assertEqual(cells.write(reference), cell, reference)

  def test_difference_of_settings_equals_column_of_differences(self):
    for steps in (1, 4, 16, 64, 256):
      settings = f'num_steps={steps} less method=bp'
      self.assertEqual(
        cells.write(f'{DIGITS}: {settings}; accuracy'),
        cells.write(f'{DIGITS}: SSNN, T = {steps}; minus ANN'),
      )

  def test_setting_names_the_row_of_its_fields(self):
    fields = 'num_steps=64, sampler=sobol'
    for column in ('accuracy', 'by potential', 'update error'):
      self.assertEqual(
        cells.write(f'{VARIANTS}: {fields}; {column}'),
        cells.write(f'{VARIANTS}: ssnn 64 sobol; {column}'),
      )

  def test_computes_with_one_number_of_each_cell(self):
    (a, a_sd), (b, b_sd) = (
      cells.numbers(f'{DIGITS}: SSNN, T = {steps}; update error')
      for steps in (4, 16)
    )
    rows = f'{DIGITS}: SSNN, T = 4 %s SSNN, T = 16; update error; '
    for operator, words, value in (
      ('less', '.3f', a - b),
      ('over', '.2f', a / b),
      ('over', 'second .3f', a_sd / b_sd),
    ):
      text = cells.write(rows % operator + words)
      self.assertEqual(text, f'{value:{words.split()[-1]}}')
    columns = f'{DIGITS}: SSNN, T = 4; accuracy less by potential; %s'
    left, right = (
      cells.numbers(f'{DIGITS}: SSNN, T = 4; {name}')[0]
      for name in ('accuracy', 'by potential')
    )
    self.assertEqual(cells.write(columns % '.2f'), f'{left - right:.2f}')
    self.assertEqual(cells.write(columns % 'abs .2f'), f'{right - left:.2f}')

  @parameterized.parameters(
    ('', '-17.17 ± 1.53'),
    ('abs', '17.17 ± 1.53'),
    ('first', '-17.17'),
    ('second', '1.53'),
    ('.1f', '-17.2'),
    ('abs .1f', '17.2'),
    ('second .1f', '1.5'),
    ('both .1f', '-17.2 ± 1.5'),
    ('abs both .0f', '17 ± 2'),
  )
  def test_formats_numbers(self, words, expected):
    # Copied by hand from the table in README.
    reference = f'{DIGITS}: SSNN, T = 1; minus ANN; {words}'
    self.assertEqual(cells.write(reference.rstrip('; ')), expected)

  @parameterized.parameters(
    (f'{DIGITS}: SSNN, T = 2; accuracy', 'fits 0 cells'),
    (f'{DIGITS}: T = 64; accuracy', 'fits 0 cells'),
    (f'{DIGITS}: SSNN, T = 64; speed', 'fits 0 cells'),
    (f'{DIGITS}: ANN (BP); by potential', 'is an empty cell'),
    (f'{DIGITS}: SSNN, T = 64; ', r'fits \d columns'),
    (f'{VARIANTS}: ssnn 64; accuracy', r'fits \d cells'),
    (f'{VARIANTS}: sobol; accuracy', 'fits 0 cells'),
    (f'{VARIANTS}: num_steps=64; accuracy', r'fits \d settings'),
    (f'{VARIANTS}: num_steps=64; seeds', 'is of settings'),
    (f'{DIGITS}: SSNN, T = 64; accuracy; .1f .2f', 'needs one format'),
    (f'{DIGITS}: SSNN, T = 64; accuracy; often', 'no format of numbers'),
    (f'{DIGITS}: SSNN, T = 64 over SSNN, T = 4; update', 'needs one format'),
    (f'{DIGITS}: a over b less c; accuracy; .1f', 'more than one operation'),
    (f'{DIGITS}: a; b; c; d', 'is not RECORD'),
    (f'{DIGITS}: hours', 'is none of what it tells: runs, '),
    ('nothing: a; b', 'is not a record'),
  )
  def test_rejects_references_without_a_single_match(self, reference, problem):
    with self.assertRaisesRegex(ssnn_jax.UserError, problem):
      cells.write(reference)


MARK = f'<!-- {DIGITS}: SSNN, T = 64; accuracy -->%s<!-- -->'
GIVEN = '<!-- given: a test -->%s<!-- -->'
TABLE = f'<!-- table: {DIGITS} -->\n\n```text\n%s\n```\n'


class PagesTest(parameterized.TestCase):
  def test_reports_and_replaces_outdated_numbers(self):
    page = f'# Page\n\n{TABLE}\nIt is {MARK}.\n'
    table = tables.text(DIGITS)
    accuracy = cells.write(f'{DIGITS}: SSNN, T = 64; accuracy')
    right = page % (table, accuracy)
    wrong = page % (table.replace(accuracy, '99.99 ± 0.00'), '99.99 ± 0.00')
    made, problems = pages.remake(wrong)
    self.assertEqual(made, right)
    line = right.count('\n', 0, right.index('It is')) + 1
    self.assertEqual([problem.line for problem in problems], [3, line])
    for problem in problems:
      self.assertIn('99.99 ± 0.00', problem.told)
      self.assertIn(accuracy, problem.told)
    self.assertEmpty(pages.check(right))

  def test_mark_may_span_lines(self):
    broken = MARK.replace('; ', ';\n') % 'x'
    self.assertNotIn('x', pages.remake(broken)[0].rpartition('-->')[0][-20:])
    self.assertEmpty(pages.check(f'It is {pages.remake(broken)[0]}'))

  def test_blocks_are_replaced_by_tables(self):
    made, problems = pages.remake('<!-- commands -->\n<!-- end -->\nrest\n')
    self.assertLen(problems, 1)
    self.assertStartsWith(made, '<!-- commands -->\n\n| record |')
    self.assertIn('`python -m experiments.sweep --dataset=digits`', made)
    self.assertEndsWith(made, ' |\n\n<!-- end -->\nrest\n')
    self.assertEqual(pages.remake(made), (made, []))
    damaged = made.replace('--dataset=digits', '--dataset=mnist')
    self.assertEqual(pages.remake(damaged)[0], made)

  def test_mark_without_record_refers_to_the_table_above(self):
    table = TABLE % tables.text(DIGITS)
    short = 'It is <!-- SSNN, T = 64; accuracy -->0<!-- -->.'
    made = pages.remake(table + short)[0]
    accuracy = cells.write(f'{DIGITS}: SSNN, T = 64; accuracy')
    self.assertEqual(made, table + short.replace('0<', f'{accuracy}<'))
    (problem,) = pages.remake(short + table)[1]
    self.assertIn('names no record', problem.told)

  @parameterized.parameters('', ' ', '- ', 'one\n')
  def test_rejects_mark_at_the_start_of_a_line(self, before):
    text = f'{before}{pages.remake(MARK % 0)[0]}'
    (problem,) = pages.check(text)
    self.assertIn('begins with a mark', problem.told)
    self.assertEmpty(pages.check(f'{before}is {pages.remake(MARK % 0)[0]}'))

  def test_code_is_left_alone(self):
    page = f'`{MARK % 1}`, 5 ms: `5 ms`\n\n```bash\n{MARK % 2} 3 s\n```\n'
    self.assertEqual(pages.remake(page), (page, []))
    self.assertEqual(pages.lint(page), [(1, "'5 ms' is in no mark")])

  @parameterized.parameters(
    '<!-- nothing: a; b -->1<!-- -->',
    f'<!-- {DIGITS}: SSNN; accuracy -->1<!-- -->',
    '<!-- table: nothing -->\n\n```text\n1\n```\n',
    '<!-- claim -->\n\n<!-- end -->\n',
    f'<!-- table: {DIGITS} -->\n\n```bash\n1\n```\n',
    f'<!-- {DIGITS}: SSNN, T = 64; accuracy -->1 and so on',
    '<!-- given: -->5 ms<!-- -->',
  )
  def test_reports_the_line_of_an_invalid_mark(self, mark):
    text = f'one\n\n{mark}'
    self.assertEqual(pages.remake(text)[0], text)
    self.assertEqual(pages.check(text)[0].line, 3)

  @parameterized.parameters(
    *('1.4 points', 'a 5 % rise', 'takes 12.8 times', '3x as fast', '0.7 GiB'),
    *('in 50 s', '1.5 to 4.6 points', '2,700 a second', '23.6 pJ', '2 minutes'),
    *('84.0 ± 1.6', 'three points', '5\nms', '| 1.2 ms |', '3.4 steps of BP'),
  )
  def test_lint_finds_measured_numbers(self, text):
    self.assertLen(pages.lint(text), 1)
    given = f'It {GIVEN % text}'
    self.assertEmpty(pages.lint(given))

  @parameterized.parameters(
    *('T = 64', '8 x 8 digits', 'with 256 ticks', 'the 95 % interval'),
    *('five seeds', 'Python 3.11', 'version 0.10.2', 'two times', 'T / 8'),
    *('arXiv:1707.09952v2, 2018', '784-256-10', 'a point', '[3 s'[:2]),
  )
  def test_lint_accepts_other_numbers(self, text):
    self.assertEmpty(pages.lint(text))

  def test_unchanged_page_is_not_written(self):
    with tempfile.TemporaryDirectory() as folder:
      path = pathlib.Path(folder, 'page.md')
      path.write_text(f'It is {MARK % 0}\n')
      self.assertTrue(pages.write(path))
      self.assertFalse(pages.write(path))
      self.assertEmpty(pages.check(path.read_text()))
