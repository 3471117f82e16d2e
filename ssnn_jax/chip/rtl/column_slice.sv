// Weights of up to WIDTH columns, and all that is done with a row of them.
//
// A word of a memory is a row. It is read, added to the sums if it spikes, and
// written back some clocks later, less the error spikes of the columns. All
// learning is in `moved`. The sums are a shift register, too, which passes
// through all slices of a layer: columns leave one in a clock, and weights of a
// row that the host writes enter.
//
// A slice has its own registers of the control signals, so that none drives
// more than a slice: synthesis must keep them.
(* keep_hierarchy *)
module column_slice #(
  parameter int COLUMNS = 18,
  parameter int WIDTH = 18,
  parameter int DEPTH = 64,                 // rows of a bank
  parameter int ADDRESS_BITS = 6,
  parameter int BANKS = 2,
  parameter int WEIGHT_BITS = 12,
  parameter int ERROR_BITS = 3,
  parameter int DRIVE_BITS = 22,
  parameter int CURRENT_BITS = 18,          // of error currents; 0: none
  parameter int CURRENT_PORTS = CURRENT_BITS > 0 ? CURRENT_BITS : 1
) (
  input  logic                           clock,
  input  logic [BANKS*ADDRESS_BITS-1:0]  read_address,
  input  logic [BANKS-1:0]               add,
  input  logic [BANKS-1:0]               write,
  input  logic [BANKS*ADDRESS_BITS-1:0]  write_address,
  input  logic                           load,      // what is written: sums
  input  logic                           shift,
  input  logic                           clear,
  input  logic [COLUMNS*ERROR_BITS-1:0]  errors,
  input  logic [DRIVE_BITS-1:0]          next_head,
  output logic [DRIVE_BITS-1:0]          head,      // sum of the first column
  output logic [BANKS*CURRENT_PORTS-1:0] currents
);

  localparam int MOVED_BITS = WEIGHT_BITS + (WEIGHT_BITS > 2 ? 1 : 2);
  localparam int LEAVES = 2 ** $clog2(WIDTH);   // of the sum over columns
  localparam int PAIR_BITS = WEIGHT_BITS + BANKS - 1;
  localparam logic [WEIGHT_BITS-1:0] LARGEST = {1'b0, {(WEIGHT_BITS-1){1'b1}}};

  (* keep *) logic [BANKS*ADDRESS_BITS-1:0] own_read, own_write_address;
  (* keep *) logic [BANKS-1:0] own_add, own_write;
  (* keep *) logic own_load, own_shift, own_clear;
  always_ff @(posedge clock) begin
    own_read <= read_address;
    own_add <= add;
    own_write <= write;
    own_write_address <= write_address;
    own_load <= load;
    own_shift <= shift;
    own_clear <= clear;
  end

  logic [BANKS*COLUMNS*WEIGHT_BITS-1:0] weights;   // at stage 3, of rows to add
  logic [COLUMNS*DRIVE_BITS-1:0] sums;
  logic [COLUMNS*DRIVE_BITS-1:0] shifted;
  assign shifted = (COLUMNS*DRIVE_BITS)'({next_head, sums} >> DRIVE_BITS);
  assign head = sums[DRIVE_BITS-1:0];

  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    // No row is read and written in one clock.
    (* no_rw_check *) logic [COLUMNS*WEIGHT_BITS-1:0] memory[DEPTH];
    logic [COLUMNS*WEIGHT_BITS-1:0] row, data;
    always_ff @(posedge clock) begin
      if (own_write[b])
        memory[own_write_address[ADDRESS_BITS * b +: ADDRESS_BITS]] <= data;
      row <= memory[own_read[ADDRESS_BITS * b +: ADDRESS_BITS]];
      weights[COLUMNS * WEIGHT_BITS * b +: COLUMNS * WEIGHT_BITS] <=
        own_add[b] ? row : '0;
    end

    for (genvar j = 0; j < COLUMNS; j++) begin : g_column
      logic signed [WEIGHT_BITS-1:0] weight;
      logic signed [ERROR_BITS-1:0] error;
      logic signed [MOVED_BITS-1:0] moved;
      logic fits;
      assign weight = weights[WEIGHT_BITS * (COLUMNS * b + j) +: WEIGHT_BITS];
      assign error = errors[ERROR_BITS * j +: ERROR_BITS];
      assign fits = moved[MOVED_BITS-1:WEIGHT_BITS-1] == '0
        || &moved[MOVED_BITS-1:WEIGHT_BITS-1];
      always_ff @(posedge clock) begin
        // A positive error asks the neuron to fire less.
        moved <= MOVED_BITS'(weight) - MOVED_BITS'(error);
        data[WEIGHT_BITS * j +: WEIGHT_BITS] <=
          own_load ? sums[DRIVE_BITS * j +: WEIGHT_BITS]
          : fits ? moved[WEIGHT_BITS-1:0]
          : LARGEST ^ {WEIGHT_BITS{moved[MOVED_BITS-1]}};
      end
    end

    if (CURRENT_BITS > 0) begin : g_current
      logic [COLUMNS*WEIGHT_BITS-1:0] all_weights;   // at stage 3, of any row
      logic [LEAVES*CURRENT_PORTS-1:0] products;
      always_ff @(posedge clock) all_weights <= row;
      for (genvar j = 0; j < LEAVES; j++) begin : g_column
        if (j < COLUMNS) begin : g_product
          logic signed [WEIGHT_BITS-1:0] weight;
          logic signed [ERROR_BITS-1:0] error, number;
          logic is_negative;
          logic signed [CURRENT_PORTS-1:0] product, current;
          assign weight = all_weights[WEIGHT_BITS * j +: WEIGHT_BITS];
          assign error = errors[ERROR_BITS * j +: ERROR_BITS];
          assign number = error < 0 ? -error : error;
          always_ff @(posedge clock) begin
            is_negative <= error < 0;
            product <= (number[0] ? CURRENT_PORTS'(weight) : '0)
              + (ERROR_BITS > 2 && number[ERROR_BITS-2]
                 ? CURRENT_PORTS'(weight) <<< 1 : '0);
            current <= is_negative ? -product : product;
          end
          assign products[CURRENT_PORTS * j +: CURRENT_PORTS] = current;
        end else begin : g_none
          assign products[CURRENT_PORTS * j +: CURRENT_PORTS] = '0;
        end
      end
      adder_tree #(.COUNT(LEAVES), .BITS(CURRENT_PORTS)) tree (
        .clock, .terms(products),
        .sum(currents[CURRENT_PORTS * b +: CURRENT_PORTS]));
    end else begin : g_no_current
      assign currents[b] = 1'b0;
    end
  end

  for (genvar j = 0; j < COLUMNS; j++) begin : g_sum
    logic signed [PAIR_BITS-1:0] first, pair;
    assign first = PAIR_BITS'($signed(weights[WEIGHT_BITS * j +: WEIGHT_BITS]));
    always_ff @(posedge clock)
      if (own_clear)
        sums[DRIVE_BITS * j +: DRIVE_BITS] <= '0;
      else if (own_shift)
        sums[DRIVE_BITS * j +: DRIVE_BITS] <=
          shifted[DRIVE_BITS * j +: DRIVE_BITS];
      else
        sums[DRIVE_BITS * j +: DRIVE_BITS] <=
          sums[DRIVE_BITS * j +: DRIVE_BITS] + DRIVE_BITS'(pair);
    if (BANKS == 1) begin : g_one
      always_ff @(posedge clock) pair <= first;
    end else begin : g_two
      logic signed [PAIR_BITS-1:0] second;
      assign second = PAIR_BITS'($signed(
        weights[WEIGHT_BITS * (COLUMNS + j) +: WEIGHT_BITS]));
      always_ff @(posedge clock) pair <= first + second;
    end
  end

endmodule
