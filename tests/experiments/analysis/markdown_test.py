"""Tests of marks for measured numbers in pages."""

from absl.testing import parameterized

from experiments.analysis import markdown
import ssnn_jax

MARK = '<!-- {study.number:.1f} -->%s<!-- -->'
GIVEN = '<!-- given: a test -->%s<!-- -->'
BLOCK = '<!-- {rows} -->%s<!-- -->'


def write(name, form):
  known = {
    ('study.number', '.1f'): '1.5',
    ('own', ''): '2',
    ('rows', ''): '\n\n| 1 |\n\n',
  }
  if (name, form) not in known:
    raise ssnn_jax.UserError(f'{name} is no number.')
  return known[name, form]


def fill(page):
  return markdown.fill(page, write)


class MarkdownTest(parameterized.TestCase):
  def test_texts_and_marks_have_the_same_references(self):
    template = 'It is {study.number:.1f}, or {own}.'
    self.assertEqual(markdown.render(template, write), 'It is 1.5, or 2.')

  def test_fills_in_numbers_and_blocks_in_place(self):
    page = f'# Page\n\nIt is {MARK}, {BLOCK}.\n'
    right = page % ('1.5', '\n\n| 1 |\n\n')
    self.assertEqual(fill(page % ('9.9', '\n\nnothing\n\n')), (right, []))
    self.assertEqual(fill(right), (right, []))
    self.assertEmpty(markdown.lint(right))
    broken = right.replace('<!-- {', '<!--\n{')
    self.assertEqual(fill(broken.replace('1.5', '9.9')), (broken, []))

  @parameterized.parameters('', ' ', '- ', 'one\n')
  def test_rejects_mark_at_the_start_of_a_line(self, before):
    (problem,) = markdown.lint(f'{before}{MARK % "1.5"}')
    self.assertIn('start of a line', problem.message)
    self.assertEmpty(markdown.lint(f'{before}is {MARK % "1.5"}'))

  def test_code_is_left_alone(self):
    page = f'`{MARK % 1}`, 5 ms: `5 ms`\n\n```bash\n{MARK % 2} 3 s\n```\n'
    self.assertEqual(fill(page), (page, []))
    self.assertEqual(markdown.lint(page), [(1, "'5 ms' has no mark")])

  @parameterized.parameters(
    'a <!-- {nothing.number} -->1<!-- -->',
    '<!-- {claim} -->\n\n<!-- -->\n',
    'a <!-- {study.number:.1f} -->1 and so on',
    'a <!-- given: -->5 ms<!-- -->',
    'a <!-- study.number -->5<!-- -->',
  )
  def test_reports_the_line_of_an_invalid_mark(self, mark):
    page = f'one\n\n{mark}'
    filled, problems = fill(page)
    self.assertEqual(filled, page)
    self.assertEqual([*problems, *markdown.lint(page)][0].line, 3)

  @parameterized.parameters(
    *('1.4 points', 'a 5 % rise', 'takes 12.8 times', '3x as fast', '0.7 GiB'),
    *('in 50 s', '1.5 to 4.6 points', '2,700 a second', '23.6 pJ', '2 minutes'),
    *('84.0 ± 1.6', 'three points', '5\nms', '| 1.2 ms |', '3.4 steps of BP'),
  )
  def test_lint_finds_measured_numbers(self, text):
    self.assertLen(markdown.lint(text), 1)
    self.assertEmpty(markdown.lint(f'It {GIVEN % text}'))

  @parameterized.parameters(
    *('T = 64', '8 x 8 digits', 'with 256 ticks', 'the 95 % interval'),
    *('five seeds', 'Python 3.11', 'version 0.10.2', 'two times', 'T / 8'),
    *('arXiv:1707.09952v2, 2018', '784-256-10', 'a point'),
  )
  def test_lint_accepts_other_numbers(self, text):
    self.assertEmpty(markdown.lint(text))
