// Weights of a few columns, and all that is done with a row of them.
//
// A word of the memory is a row. Forward, rows are added to a total of each
// column, and totals to its sum. To learn, one column that errs is selected:
// its weight times the error is a part of the current of the row, and the row
// is written back with the new weight.
//
// Stages of a row: 1 address, 2 row, 3 weight of the selected column and its
// change, 4 totals, sums, current and new row, 5 memory. The registers of what
// drives all slices are a slice's own, as it may be far away.
(* keep_hierarchy *)
module slice #(
  parameter int COLUMNS = 3,
  parameter int FIRST = 0,                  // column of the layer
  parameter int ADDRESS_BITS = 7, WEIGHT_BITS = 12, DRIVE_BITS = 22,
  parameter int TICKS_LOG = 3,
  parameter int ERROR_BITS = 8,
  parameter int SCALED_BITS = 18,           // of rate times count
  parameter int ROUND_BITS = 12,            // of the fraction of a change
  parameter bit HAS_CURRENTS = 1, HAS_EVENTS = 1,
  parameter int SENT_BITS = 22
) (
  input  logic clock,
  input  logic [ADDRESS_BITS-1:0] read_address,   // at stage 0
  input  logic [SCALED_BITS-1:0] scaled,          // at stage 1
  input  logic add, negative, level, learn,       // at stage 2
  input  logic renew,                             // the sums, by a level
  input  logic [15:0] random,
  input  logic write,                             // at stage 3
  input  logic [ADDRESS_BITS-1:0] write_address,
  input  logic load,                              // the host's weight
  input  logic [WEIGHT_BITS-1:0] weight_in,
  input  logic clear,
  input  logic [4:0] column,                      // selected
  input  logic signed [ERROR_BITS-1:0] error,     // its error
  input  logic [4:0] pick,                        // column of the head
  input  logic show,                              // the head, a clock after it
  output logic [DRIVE_BITS-1:0] head,             // 2 clocks later
  output logic [SENT_BITS-1:0] sent               // current at stage 4, or head
);

  localparam int PRODUCT_BITS = SCALED_BITS + ERROR_BITS;
  localparam int FINE_BITS = WEIGHT_BITS + ROUND_BITS;
  localparam int DIFFERENCE_BITS =
    (PRODUCT_BITS > FINE_BITS ? PRODUCT_BITS : FINE_BITS) + 1;
  localparam int MOVED_BITS = DIFFERENCE_BITS - ROUND_BITS;
  localparam logic [WEIGHT_BITS-1:0] LARGEST = {1'b0, {(WEIGHT_BITS-1){1'b1}}};

  // No row that is used is read and written in one clock.
  (* no_rw_check *) logic [COLUMNS*WEIGHT_BITS-1:0] memory[2 ** ADDRESS_BITS];
  logic [COLUMNS*WEIGHT_BITS-1:0] row2, row3, data4;
  logic [ADDRESS_BITS-1:0] own_read, own_write_address;
  logic [SCALED_BITS-1:0] own_scaled;
  logic own_add, own_negative, own_level, own_renew, own_learn, own_write;
  logic own_load, own_clear, own_show;
  logic [4:0] own_pick;
  logic [15:0] column_mask;
  logic [COLUMNS-1:0] is_selected;
  logic [ROUND_BITS-1:0] fraction3;
  logic signed [WEIGHT_BITS-1:0] chosen2, weight3;
  logic signed [PRODUCT_BITS-1:0] product3;
  logic signed [MOVED_BITS-1:0] moved;
  logic [WEIGHT_BITS-1:0] settled, own_weight;
  logic fits;

  always_comb begin
    chosen2 = '0;
    for (int j = 0; j < COLUMNS; j++)
      if (is_selected[j]) chosen2 |= row2[WEIGHT_BITS * j +: WEIGHT_BITS];
  end
  // w - (product + fraction) >> ROUND_BITS, in one difference.
  assign moved = MOVED_BITS'((DIFFERENCE_BITS'($signed({weight3, ~fraction3}))
    - DIFFERENCE_BITS'(product3)) >>> ROUND_BITS);
  assign fits = moved == MOVED_BITS'($signed(moved[WEIGHT_BITS-1:0]));
  assign settled = own_load ? own_weight : fits ? moved[WEIGHT_BITS-1:0]
    : LARGEST ^ {WEIGHT_BITS{moved[MOVED_BITS-1]}};

  always_ff @(posedge clock) begin
    own_read <= read_address;
    own_scaled <= scaled;
    own_add <= add;
    own_negative <= negative;
    own_level <= level;
    own_renew <= renew;
    own_learn <= learn;
    own_write <= write;
    own_write_address <= write_address;
    own_load <= load;
    own_weight <= weight_in;
    own_clear <= clear;
    own_pick <= pick;
    own_show <= show;
    for (int j = 0; j < COLUMNS; j++) begin
      is_selected[j] <= column == 5'(j);
      if (column == 5'(j)) column_mask <= 16'((FIRST + j + 1) * 32'h6A09);
    end

    if (own_write) memory[own_write_address] <= data4;
    row2 <= memory[own_read];
    row3 <= row2;
    weight3 <= chosen2;
    product3 <= $signed(own_scaled) * error;
    fraction3 <= ROUND_BITS'((random ^ column_mask) >> (16 - ROUND_BITS));
    for (int j = 0; j < COLUMNS; j++)
      data4[WEIGHT_BITS * j +: WEIGHT_BITS] <= is_selected[j] ? settled
        : row3[WEIGHT_BITS * j +: WEIGHT_BITS];
  end

  // Only in the open mode a row is taken back, and totals are the sums. A slice
  // has to know it, as synthesis keeps its inputs.
  localparam int TOTAL_BITS = HAS_EVENTS ? DRIVE_BITS : DRIVE_BITS - TICKS_LOG;
  logic [COLUMNS*DRIVE_BITS-1:0] sums;
  logic takes_back, renews;
  assign takes_back = HAS_EVENTS && own_negative;
  assign renews = HAS_EVENTS && own_renew;
  for (genvar j = 0; j < COLUMNS; j++) begin : g_sum
    logic signed [WEIGHT_BITS-1:0] term;
    logic signed [TOTAL_BITS-1:0] total;
    logic [DRIVE_BITS-1:0] sum;
    logic unused;
    assign term = row3[WEIGHT_BITS * j +: WEIGHT_BITS];
    assign sums[DRIVE_BITS * j +: DRIVE_BITS] = sum;
    always_ff @(posedge clock) begin
      // A negative row is its complement and 1, which enters as a carry.
      if (own_add) {total, unused} <= {total, 1'b1}
        + {TOTAL_BITS'(term) ^ {TOTAL_BITS{takes_back}}, takes_back};
      if (own_level) sum <= (renews ? '0 : sum) + DRIVE_BITS'(total);
      if (own_clear) {total, sum} <= '0;
    end
  end
  always_ff @(posedge clock) begin
    head <= '0;
    for (int j = 0; j < COLUMNS; j++)
      if (own_pick == 5'(j)) head <= sums[DRIVE_BITS * j +: DRIVE_BITS];
    sent <= HAS_CURRENTS && own_learn ? SENT_BITS'(weight3) * SENT_BITS'(error)
      : own_show ? SENT_BITS'($signed(head)) : '0;
  end

endmodule
