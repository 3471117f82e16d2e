"""Asks whether tests find mistakes in Verilog: `python -m tests.chip_mutants`.

One model has all wrong expressions of the chip, and one those of its board; a
variable of the environment selects one. A line says whether the comparison with
the twin finds it, or that it takes other clocks. Arguments choose mutants of
which they are a part of the text, as `python -m tests.chip_mutants slice open`.
"""

import contextlib
import io
import os
import pathlib
import sys
import tempfile
from unittest import mock

import ssnn_jax
from ssnn_jax.chip import verilog
from tests.chip import board_test
from tests.chip import rtl_test
from tests.testing import mutants

# Expressions of each rule and of the schedule, by module, and wrong ones.
CHIP = {
  'slice': (
    ('moved == MOVED_BITS\'($signed(moved[WEIGHT_BITS-1:0]))', "1'b1"),
    ("- @DIFFERENCE_BITS'(step)@)", "-DIFFERENCE_BITS'(step)"),
    ("{weight, @~fraction@}", "fraction"),
    ('random3 ^ MASK', 'random3'),
    ('&& @open[j]@;', "1'b1"),
    ('else if (@own_fall@)', "1'b0"),
    ("step - @STEP_BITS'(spike_step)@", "STEP_BITS'(0)"),
    ("TOTAL_BITS'(weight) ^ {TOTAL_BITS{takes_back}}", "TOTAL_BITS'(weight)"),
    (', @takes_back@}\n', "1'b0"),
    ('@own_both@ ?', "1'b0"),
    ('@own_is_odd@ ? odd2', "1'b0"),
    ("own_write && @!own_write_address[0]@", "1'b1"),
    ('if (@renews@)', "1'b0"),
    ('if (@own_level@)', "1'b0"),
    ("if (@own_clear@) {", "1'b0"),
    ("if (@own_clear@) column_error", "1'b0"),
    ("@SENT_BITS'(weight)@ *", "SENT_BITS'(weight) + 1"),
    ('HAS_CURRENTS && own_learning', "1'b0"),
    ("own_load && @own_pick == 5'(j)@", "1'b1"),
  ),
  'synapses': (
    ("+ @16'h9E37@)", "16'd0"),
    ('@boths[2]@ ? odd_addresses', "1'b0"),
    ('own_load && show', 'own_load'),
    ("2 ** UNIT_BITS / 2", "0"),
    ("rounded2 == ROUNDED_BITS'($signed(rounded2[CHANGE_BITS-1:0]))", "1'b1"),
    ("error_valid && @error != '0@", "1'b0"),
    ('if (@clear@) pending', "1'b0"),
  ),
  'leading_digits': (
    ('k > 0 && magnitude1[k > 0 ? k - 1 : 0]', "1'b0"),
    ('negative = @rest2[BITS-1]@', "1'b0"),
    ('@rests[d][BITS-1]@ ?', "1'b0"),
  ),
  'hidden': (
    ('!drive[DRIVE_BITS-1] && @drive != 0@', "1'b1"),
    ('(@drive@ >>> (TICKS_LOG + FRACTION_BITS)) == 0', "drive - 1'b1"),
    ('(rounded >>> TICKS_LOG) != 0', "1'b0"),
    ('rounded < 0', "1'b0"),
    ("$signed((CURRENT_BITS+1)'(2 ** ERROR_SHIFT / 2))", "0"),
    ("sum1 > most", "1'b0"),
    ("sum1 < -most", "1'b0"),
  ),
  'hidden_rows': (
    ('!rises[lowest]', "1'b0"),
    ('if (@restart@) sent', "1'b0"),
    ('@positives[k]@ &&', "1'b0"),
    ("k == NEURONS % 32 ? COUNT_BITS'(2 ** TICKS_LOG) : '0", "'0"),
    ("sending && compared", 'sending'),
    ('targets[k % 32]', 'sent[(k + 32) % TURNING]'),
  ),
  'classes': (
    ('drive > best', 'drive >= best'),
    ('(below1 >> SHIFT) > 255', "1'b0"),
    ('@has_label@ ? TABLE', "1'b1"),
    ("label < 8'(CLASSES)", "label <= 8'(CLASSES)"),
    ('threshold < cumulative', 'threshold <= cumulative'),
    ("count == label ? ERROR_BITS'(TICKS) : '0", "'0"),
    ("SUM_BITS'(product >> 16)", "'0"),
  ),
  'scanner': (
    ("active && num_waiting < 5'd11", 'active'),
    ('ends && @own_final@', "1'b1"),
    ("listed[k] || @level2 != '0@", "1'b1"),
    ("@is_all@ ? '0", "1'b0"),
    ("last3 || mask3 != '0", 'last3'),
    ("next & (next - 1'b1)", "next & (next - 8'd2)"),
    ('next_rest = @is_single@', "1'b0"),
    ('has_even1 && @has_odd1@', "1'b1"),
    ('else if (@is_only@)', "1'b0"),
  ),
  'schedule': (
    ('levels = @state == LEVEL@', "1'b0"),
    ('count == DRAIN_STAGES', "1'b1"),
    ('count == SETTLE_STAGES', "count == 12'd4"),
    ('count == PASS_STAGES', "count == 12'd0"),
    ('@opened && !ended@ ? OPEN', "1'b0"),
    ("@(pending & own) != '0@ ? BEGIN", "1'b1"),
    ('events < MOST_EVENTS', "1'b1"),
    ('open && @!(counts_stand && sums_stand)@', "1'b1"),
    ('@!counts_stand@ ? BLANK', "1'b1"),
    ('sums_stand <= @!learning@', "1'b1"),
    ('word <= @SEED@;', 'word'),
    ('state <= @IDLE@;\n      counts_stand', 'state'),
    ('if (@cleared@)', "1'b0"),
    ("counts_stand <= @1'b0@", 'counts_stand'),
    ('@scans@ ? BEGIN', '!opened'),
  ),
  'sample_pages': (
    ("edit_negative ? '1 : COUNT_BITS'(1)", "COUNT_BITS'(1)"),
    ('@!full[filling]@ && !open', "1'b1"),
    ("(@position == 16'(WORDS - 1)@\n", "1'b0"),
    ('reading <= @!reading@;', 'reading'),
    ("position <= @'0@;\n", 'position'),
    ("full <= @'0@;\n", 'full'),
    ("filling <= @1'b0@;\n", 'filling'),
    ("reading <= @1'b0@;\n", 'reading'),
    ('reading ^ @open@', "1'b0"),
  ),
  'traces': (
    ('@goes_on@ ? z1', "1'b1"),
    ('goes_on <= @label[8]@', "1'b1"),
    ("goes_on <= @1'b0@", 'goes_on'),
    ("- @(BITS+1)'(half)@", "'0"),
    ("FINE) >> @shifts[2]@", "'0"),
    ("(BITS+1)'(2 ** FINE / 2)", "'0"),
    ("@last[5]@ ? '0", "1'b0"),
    ('state == TRACE && @out_ready@', "1'b1"),
  ),
  'row_access': (
    ('@idle@ && (state == IDLE ||', "1'b1"),
    ("FILL || @state == DRAIN@", "1'b0"),
    ('state == DRAIN && @!row_valid@', "1'b1"),
    ('state <= @IDLE@;\n      delay', 'state'),
  ),
  'chip': (
    ('complete && !accessing && !row_valid && @!result_valid@', "1'b1"),
    ('(result_valid && !result_ready)', "1'b0"),
    ('@!reset@ && (finish', "1'b1"),
    ('@unused@ && traces_empty', "1'b1"),
    ('&& !row_valid && @!result_valid@;\n\n', "1'b1"),
    ('complete && !accessing && @!row_valid@ &&', "1'b1"),
    ('!sample_valid && !accessing && @!row_valid@ &&', "1'b1"),
    ("@bias@ ? 16'(INPUTS)", "1'b0"),
  ),
  'queue': (
    ('!count[DEPTH_LOG]', "1'b1"),
  ),
  'xorshift': (
    ('word << 13', 'word << 12'),
  ),
}  # fmt: skip
# Expressions of link, lists and memory, and wrong ones.
BOARD = (
  ('crc16', "16'h1021", "16'h8005"),
  ('link', "state <= @next == '0@ ? EXECUTE", "1'b1"),
  ('link', "state <= @is_right@ ? REPLY", "1'b1"),
  ('link', "@age == 8'd1 && list_started != '0@;", "1'b0"),
  ('link', 'place + 24\'(item)', 'place'),
  ('link', "letter == \"P\" && !again && @is_right@;", "1'b1"),
  ('present', "sets ? '0 : @answer@;", "~answer"),
  ('present', "sent + 1'b1 == sizes[list]", "1'b0"),
  ('present', "named[18] && left == 16'd1 ? 16'hFF : '0", "'0"),
  ('present', "@unanswered == '0@;", "1'b1"),
  ('present', "named[22] ? @sample + 1'b1@", 'sample'),
  ('present', "more == 18'd1, @data[7:0]@", "8'd0"),
  ('present', '(result_valid && @flight[0][8]@)', "1'b1"),
  ('present', 'state == READ && @sample_ready@', "1'b1"),
  ('sdram', '|| @row_ends@)', "1'b0"),
)  # fmt: skip


def make_chip(folder):
  """Returns changes, and `module -> difference` of the selected chip."""
  changes = [(own, *pair) for own, pairs in CHIP.items() for pair in pairs]
  sources, paths = verilog.sources(), ('chip', 'chip_top.own')
  sources, clocks = mutants.write(folder, sources, changes, *paths), {}

  def find(module):
    is_stream = module == 'traces'
    own = rtl_test.TRACED if is_stream else (rtl_test.SATURATED,)
    search = rtl_test.find_stream if is_stream else rtl_test.find
    found = search(*own, sources)
    is_equal = found.clocks == clocks.setdefault(is_stream, found.clocks)
    return found.difference or (None if is_equal else 'other clocks')

  find('traces')  # clocks without a mistake
  return changes, find


def make_board(folder):
  """Returns the same of a board, whose line is noisy."""
  sources = board_test.write_mutants(folder, BOARD)
  model = board_test.compile_board(sources=sources)

  def find(module):
    del module  # one epoch finds all
    progress = contextlib.redirect_stderr(io.StringIO())
    with board_test.simulate(model) as port, progress:
      try:
        found = board_test.train_epoch(board_test.NoisyPort(port, 0.25))
        port.check()
        return found
      except (AssertionError, ssnn_jax.UserError) as error:
        return str(error)

  return BOARD, find


def main(words: list[str]) -> None:
  """Compares the mutants that hold all words with the twin."""
  number_found = number = 0
  for make in make_chip, make_board:
    with tempfile.TemporaryDirectory() as folder:
      changes, find = make(pathlib.Path(folder))
      if own := find(''):
        sys.exit(f'differs without a mistake: {own}')
      for place, change in enumerate(changes, 1):
        if not all(word in str(change) for word in words):
          continue
        with mock.patch.dict(os.environ, {mutants.VARIABLE: str(place)}):
          found = find(change[0])
        number, number_found = number + 1, number_found + (found is not None)
        end = 'SURVIVED' if found is None else f'found     {found}'
        print(f'{end}\n          {change}', flush=True)
  print(f'{number_found} of {number} found')
  sys.exit(number_found < number)


if __name__ == '__main__':
  main(sys.argv[1:])
