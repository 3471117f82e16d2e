// Weights of a few columns, and all that is done with a row of them.
//
// A word of a memory is a row, of even ones or of odd ones. Rows enter by level:
// those with a count of T first, then those with T - 1. Forward, up to two rows
// in a clock are added to a total of each column, and totals to its sum at the
// end of each level. To learn, all rows of a level change a column by the same
// `step`, which falls by that of one spike at the end of each level, so that
// nothing is multiplied; what the row times the errors adds up to is a part of
// the current of the row.
//
// Stages of a row: 1 address, 2 and 3 row, 4 totals, sums, products and new row,
// 5 memory. The registers of what drives all slices are a slice's own, as it may
// be far away.
(* keep_hierarchy *)
module slice #(
  parameter int COLUMNS = 3,
  parameter int FIRST = 0,                  // column of the layer
  parameter int ADDRESS_BITS = 7, WEIGHT_BITS = 12, DRIVE_BITS = 22,
  parameter int TICKS_LOG = 3,
  parameter int ERROR_BITS = 8, CHANGE_BITS = 20,
  parameter int ROUND_BITS = 12,            // of the fraction of a change
  parameter int TREE_STAGES = 3,            // of the products of a whole slice
  parameter bit HAS_CURRENTS = 1, HAS_EVENTS = 1,
  parameter int SENT_BITS = 22
) (
  input  logic clock,
  input  logic [ADDRESS_BITS-2:0] even_address, odd_address,  // at stage 0
  input  logic is_odd,                            // the row, at stage 1
  input  logic fall,                              // of the steps, at stage 1
  input  logic add, both, negative, level,        // at stage 2
  input  logic renew,                             // the totals, which are in sums
  input  logic [15:0] random,
  input  logic write,                             // at stage 3
  input  logic [ADDRESS_BITS-1:0] write_address,
  input  logic load,                              // the host's weight, of `pick`
  input  logic [WEIGHT_BITS-1:0] weight_in,
  input  logic clear,
  // An error, and the change of a weight by it and one spike.
  input  logic error_valid,
  input  logic [9:0] error_address,
  input  logic [ERROR_BITS-1:0] error,
  input  logic [CHANGE_BITS-1:0] change,
  input  logic [COLUMNS-1:0] open,
  input  logic start, learning,                   // a pass of learning
  input  logic [4:0] pick,                        // column of the head
  input  logic show,                              // the head, a clock after it
  output logic [DRIVE_BITS-1:0] head,             // 2 clocks later
  output logic [SENT_BITS-1:0] sent               // part of the current, or head
);

  localparam int STEP_BITS = CHANGE_BITS + TICKS_LOG;
  localparam int FINE_BITS = WEIGHT_BITS + ROUND_BITS;
  localparam int DIFFERENCE_BITS =
    (STEP_BITS > FINE_BITS ? STEP_BITS : FINE_BITS) + 1;
  localparam int MOVED_BITS = DIFFERENCE_BITS - ROUND_BITS;
  localparam logic [WEIGHT_BITS-1:0] LARGEST = {1'b0, {(WEIGHT_BITS-1){1'b1}}};
  localparam int LEAVES = 2 ** TREE_STAGES;

  // No row that is used is read and written in one clock.
  (* no_rw_check *)
  logic [COLUMNS*WEIGHT_BITS-1:0] even_memory[2 ** (ADDRESS_BITS - 1)];
  (* no_rw_check *)
  logic [COLUMNS*WEIGHT_BITS-1:0] odd_memory[2 ** (ADDRESS_BITS - 1)];
  logic [COLUMNS*WEIGHT_BITS-1:0] even2, odd2, row3, other3, data4;
  logic [ADDRESS_BITS-2:0] own_even, own_odd;
  logic [ADDRESS_BITS-1:0] own_write_address;
  logic own_is_odd, own_fall, own_add, own_both, own_negative, own_level;
  logic own_renew, own_write, own_load, own_clear, own_show, own_start;
  logic own_learning, own_valid;
  logic [4:0] own_pick;
  logic [9:0] own_address;
  /* verilator lint_off UNUSEDSIGNAL */  // of a first layer
  logic [ERROR_BITS-1:0] own_error;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [CHANGE_BITS-1:0] own_change;
  logic [15:0] random3;
  logic [WEIGHT_BITS-1:0] own_weight;

  always_ff @(posedge clock) begin
    own_even <= even_address;
    own_odd <= odd_address;
    own_is_odd <= is_odd;
    own_fall <= fall;
    own_add <= add;
    own_both <= both;
    own_negative <= negative;
    own_level <= level;
    own_renew <= renew;
    own_write <= write;
    own_write_address <= write_address;
    own_load <= load;
    own_weight <= weight_in;
    own_clear <= clear;
    own_start <= start;
    own_learning <= learning;
    own_valid <= error_valid;
    own_address <= error_address;
    own_error <= error;
    own_change <= change;
    own_pick <= pick;
    own_show <= show;
    random3 <= random;

    if (own_write && !own_write_address[0])
      even_memory[own_write_address[ADDRESS_BITS-1:1]] <= data4;
    if (own_write && own_write_address[0])
      odd_memory[own_write_address[ADDRESS_BITS-1:1]] <= data4;
    even2 <= even_memory[own_even];
    odd2 <= odd_memory[own_odd];
    row3 <= own_is_odd ? odd2 : even2;
    other3 <= odd2;
  end

  // Only in the open mode a row is taken back, and rows follow that are added to
  // the same sums. A slice has to know it, as synthesis keeps its inputs.
  localparam int TOTAL_BITS = HAS_EVENTS ? DRIVE_BITS : DRIVE_BITS - TICKS_LOG;
  logic [COLUMNS*DRIVE_BITS-1:0] sums;
  logic [LEAVES*SENT_BITS-1:0] products;
  logic [SENT_BITS-1:0] current;
  logic takes_back, renews;
  assign takes_back = HAS_EVENTS && own_negative;
  assign renews = HAS_EVENTS && own_renew;
  for (genvar j = 0; j < LEAVES; j++) begin : g_column
    if (j < COLUMNS) begin : g_own
      localparam logic [15:0] MASK = 16'((FIRST + j + 1) * 32'h6A09);
      logic signed [WEIGHT_BITS-1:0] weight, other;
      logic signed [CHANGE_BITS-1:0] spike_step;
      logic signed [STEP_BITS-1:0] step;
      logic [ROUND_BITS-1:0] fraction;
      logic signed [MOVED_BITS-1:0] moved;
      logic [WEIGHT_BITS-1:0] settled;
      logic signed [TOTAL_BITS-1:0] total;
      logic [DRIVE_BITS-1:0] sum;
      logic errs, fits, unused;
      assign weight = row3[WEIGHT_BITS * j +: WEIGHT_BITS];
      assign other = own_both ? other3[WEIGHT_BITS * j +: WEIGHT_BITS] : '0;
      assign errs = own_valid && own_address == 10'(FIRST + j) && open[j];

      // w - (step + fraction) >> ROUND_BITS, in one difference.
      assign fraction = ROUND_BITS'((random3 ^ MASK) >> (16 - ROUND_BITS));
      assign moved = MOVED_BITS'((DIFFERENCE_BITS'($signed({weight, ~fraction}))
        - DIFFERENCE_BITS'(step)) >>> ROUND_BITS);
      assign fits = moved == MOVED_BITS'($signed(moved[WEIGHT_BITS-1:0]));
      assign settled = fits ? moved[WEIGHT_BITS-1:0]
        : LARGEST ^ {WEIGHT_BITS{moved[MOVED_BITS-1]}};
      assign sums[DRIVE_BITS * j +: DRIVE_BITS] = sum;
      always_ff @(posedge clock) begin
        if (errs) spike_step <= own_change;
        if (own_start) step <= STEP_BITS'(spike_step) <<< TICKS_LOG;
        else if (own_fall) step <= step - STEP_BITS'(spike_step);
        data4[WEIGHT_BITS * j +: WEIGHT_BITS] <=
          own_load && own_pick == 5'(j) ? own_weight : settled;
        // A negative row is its complement and 1, which enters as a carry.
        if (own_add) {total, unused} <= {total, 1'b1}
          + {TOTAL_BITS'(weight) ^ {TOTAL_BITS{takes_back}}, takes_back}
          + {TOTAL_BITS'(other), 1'b0};
        if (renews) total <= '0;
        if (own_level) sum <= sum + DRIVE_BITS'(total);
        if (own_clear) {spike_step, step, total, sum} <= '0;
      end
      if (HAS_CURRENTS) begin : g_current
        logic signed [ERROR_BITS-1:0] column_error;
        logic signed [SENT_BITS-1:0] product;
        always_ff @(posedge clock) begin
          if (errs) column_error <= own_error;
          if (own_clear) column_error <= '0;
          product <= SENT_BITS'(weight) * SENT_BITS'(column_error);
        end
        assign products[SENT_BITS * j +: SENT_BITS] = product;
      end else begin : g_current
        assign products[SENT_BITS * j +: SENT_BITS] = '0;
      end
    end else begin : g_own
      assign products[SENT_BITS * j +: SENT_BITS] = '0;
    end
  end
  adder_tree #(.COUNT(LEAVES), .BITS(SENT_BITS)) tree (
    .clock, .terms(products), .sum(current));
  always_ff @(posedge clock) begin
    head <= '0;
    for (int j = 0; j < COLUMNS; j++)
      if (own_pick == 5'(j)) head <= sums[DRIVE_BITS * j +: DRIVE_BITS];
    sent <= HAS_CURRENTS && own_learning ? current
      : own_show ? SENT_BITS'($signed(head)) : '0;
  end

endmodule
