// Weights of up to WIDTH columns, and all that is done with a row of them.
//
// A word of a memory is a row. Forward, rows are added to the sums of the
// columns, or the sums are doubled. To learn, one column that errs is selected:
// its weight times the error is a part of the current of the row, and the row
// is written back with the new weight.
//
// Stages of a row: 1 address, 2 row, 3 weight of the selected column, its change,
// 4 sum of the banks, current, new row, 5 sums, memory.
(* keep_hierarchy *)
module slice #(
  parameter int COLUMNS = 9,
  parameter int FIRST = 0,                  // column of the layer
  parameter int ADDRESS_BITS = 6, BANKS = 2, WEIGHT_BITS = 12, DRIVE_BITS = 22,
  parameter int ERROR_BITS = 8,
  parameter int SCALED_BITS = 18,           // of rate times count
  parameter int ROUND_BITS = 12,            // of the fraction of a change
  parameter bit HAS_CURRENTS = 1,
  parameter int CURRENT_BITS = 20
) (
  input  logic clock,
  input  logic [BANKS*ADDRESS_BITS-1:0] read_address,
  input  logic [BANKS-1:0] add,                   // at stage 1
  input  logic negative,                          // of one row to add
  input  logic double,                            // at stage 3
  input  logic [BANKS*SCALED_BITS-1:0] scaled,    // at stage 1
  input  logic [BANKS*16-1:0] random,             // at stage 2
  input  logic [BANKS-1:0] write,                 // at stage 3
  input  logic [BANKS*ADDRESS_BITS-1:0] write_address,
  input  logic load,                              // the host's weight
  input  logic [WEIGHT_BITS-1:0] weight_in,
  input  logic clear,
  input  logic [4:0] pick,                        // column of the head
  input  logic [4:0] column,                      // selected
  input  logic signed [ERROR_BITS-1:0] error,     // its error
  output logic [DRIVE_BITS-1:0] head,             // 2 clocks later
  output logic [BANKS*CURRENT_BITS-1:0] currents  // at stage 4
);

  localparam int PAIR_BITS = WEIGHT_BITS + BANKS - 1;
  localparam int PRODUCT_BITS = SCALED_BITS + ERROR_BITS;
  localparam int CHANGE_BITS = PRODUCT_BITS - ROUND_BITS;
  localparam int MOVED_BITS =
    (CHANGE_BITS > WEIGHT_BITS ? CHANGE_BITS : WEIGHT_BITS) + 1;
  localparam logic [WEIGHT_BITS-1:0] LARGEST = {1'b0, {(WEIGHT_BITS-1){1'b1}}};

  // A slice has its own registers of what drives all columns of a layer.
  (* keep *) logic [BANKS*ADDRESS_BITS-1:0] own_read, own_write_address;
  (* keep *) logic [BANKS-1:0] own_add, own_write;
  (* keep *) logic own_double, own_load, own_clear, own_negative;
  (* keep *) logic [4:0] own_pick;
  logic negative4;
  logic [15:0] column_mask;
  logic [COLUMNS-1:0] is_selected;
  always_ff @(posedge clock) begin
    own_read <= read_address;
    own_add <= add;
    own_negative <= negative;
    negative4 <= own_negative;
    own_double <= double;
    own_write <= write;
    own_write_address <= write_address;
    own_load <= load;
    own_clear <= clear;
    own_pick <= pick;
    for (int j = 0; j < COLUMNS; j++) begin
      is_selected[j] <= column == 5'(j);
      if (column == 5'(j)) column_mask <= 16'((FIRST + j + 1) * 32'h6A09);
    end
  end

  logic [BANKS*COLUMNS*WEIGHT_BITS-1:0] rows3;
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    // No row is read and written in one clock.
    (* no_rw_check *) logic [COLUMNS*WEIGHT_BITS-1:0] memory[2 ** ADDRESS_BITS];
    logic [COLUMNS*WEIGHT_BITS-1:0] row2, row3, data4;
    logic signed [WEIGHT_BITS-1:0] chosen2, weight3;
    logic signed [PRODUCT_BITS-1:0] product2;
    logic signed [CHANGE_BITS-1:0] change3;
    logic signed [MOVED_BITS-1:0] moved;
    logic [ROUND_BITS-1:0] fraction;
    logic [WEIGHT_BITS-1:0] settled;
    logic fits;

    always_comb begin
      chosen2 = '0;
      for (int j = 0; j < COLUMNS; j++)
        if (is_selected[j]) chosen2 |= row2[WEIGHT_BITS * j +: WEIGHT_BITS];
    end
    assign fraction =
      ROUND_BITS'((random[16 * b +: 16] ^ column_mask) >> (16 - ROUND_BITS));
    assign moved = MOVED_BITS'(weight3) - MOVED_BITS'(change3);
    assign fits = moved == MOVED_BITS'($signed(moved[WEIGHT_BITS-1:0]));
    assign settled = own_load ? weight_in : fits ? moved[WEIGHT_BITS-1:0]
      : LARGEST ^ {WEIGHT_BITS{moved[MOVED_BITS-1]}};
    assign rows3[COLUMNS * WEIGHT_BITS * b +: COLUMNS * WEIGHT_BITS] = row3;

    always_ff @(posedge clock) begin
      if (own_write[b])
        memory[own_write_address[ADDRESS_BITS * b +: ADDRESS_BITS]] <= data4;
      row2 <= memory[own_read[ADDRESS_BITS * b +: ADDRESS_BITS]];
      row3 <= row2;
      if (!own_add[b]) row3 <= '0;
      weight3 <= chosen2;
      product2 <= $signed({scaled[SCALED_BITS * b +: SCALED_BITS]}) * error;
      change3 <= CHANGE_BITS'((product2
        + $signed(PRODUCT_BITS'({1'b0, fraction}))) >>> ROUND_BITS);
      for (int j = 0; j < COLUMNS; j++)
        data4[WEIGHT_BITS * j +: WEIGHT_BITS] <= is_selected[j] ? settled
          : row3[WEIGHT_BITS * j +: WEIGHT_BITS];
    end

    if (HAS_CURRENTS) begin : g_current
      logic signed [CURRENT_BITS-1:0] current4;
      always_ff @(posedge clock)
        current4 <= CURRENT_BITS'(weight3) * CURRENT_BITS'(error);
      assign currents[CURRENT_BITS * b +: CURRENT_BITS] = current4;
    end else begin : g_current
      assign currents[CURRENT_BITS * b +: CURRENT_BITS] = '0;
    end
  end

  logic [COLUMNS*DRIVE_BITS-1:0] sums;
  always_ff @(posedge clock) begin
    head <= '0;
    for (int j = 0; j < COLUMNS; j++)
      if (own_pick == 5'(j)) head <= sums[DRIVE_BITS * j +: DRIVE_BITS];
  end
  for (genvar j = 0; j < COLUMNS; j++) begin : g_sum
    logic signed [PAIR_BITS-1:0] pair4;
    logic signed [WEIGHT_BITS-1:0] terms[BANKS];
    logic [DRIVE_BITS-1:0] sum, operand;
    logic unused;
    for (genvar b = 0; b < BANKS; b++) begin : g_term
      assign terms[b] = rows3[WEIGHT_BITS * (COLUMNS * b + j) +: WEIGHT_BITS];
    end
    assign sums[DRIVE_BITS * j +: DRIVE_BITS] = sum;
    // A negative row is its complement and 1, which enters as a carry.
    assign operand = own_double ? sum
      : DRIVE_BITS'(pair4) ^ {DRIVE_BITS{negative4}};
    always_ff @(posedge clock) begin
      pair4 <= PAIR_BITS'(terms[0])
        + (BANKS == 2 ? PAIR_BITS'(terms[BANKS-1]) : '0);
      {sum, unused} <= {sum, 1'b1} + {operand, negative4};
      if (own_clear) sum <= '0;
    end
  end

endmodule
