"""Tests of marks for measured numbers in pages."""

from absl.testing import parameterized

from experiments.analysis import markdown
import ssnn_jax

MARK = '<!-- study.number .1f -->%s<!-- -->'
GIVEN = '<!-- given: a test -->%s<!-- -->'
BLOCK = '<!-- rows -->%s<!-- end -->'


def write(reference):
  if reference != 'study.number .1f':
    raise ssnn_jax.UserError(f'{reference} is no number.')
  return '1.5'


def fill(page):
  return markdown.fill(page, write, {'rows': lambda: '| 1 |'})


class MarkdownTest(parameterized.TestCase):
  def test_replaces_and_reports_outdated_numbers(self):
    page = f'# Page\n\nIt is {MARK}, {BLOCK}.\n'
    right = page % ('1.5', '\n\n| 1 |\n\n')
    filled, problems = fill(page % ('9.9', '\n\nnothing\n\n'))
    self.assertEqual(filled, right)
    self.assertEqual([problem.line for problem in problems], [3, 3])
    self.assertEqual(fill(right), (right, []))

  def test_mark_may_span_lines(self):
    filled, _ = fill('It is ' + MARK.replace('r .', 'r\n.') % 'x')
    self.assertEndsWith(filled, '-->1.5<!-- -->')

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
    'a <!-- nothing.number -->1<!-- -->',
    '<!-- claim -->\n\n<!-- end -->\n',
    'a <!-- study.number .1f -->1 and so on',
    'a <!-- given: -->5 ms<!-- -->',
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
