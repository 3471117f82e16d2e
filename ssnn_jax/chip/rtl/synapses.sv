// Synapses of one layer: slices of WIDTH columns, and the pipes of their rows.
//
// Errors of the columns arrive on a bus; `next` selects in each slice the next
// column that errs, with which the rows that follow learn.
module synapses #(
  parameter int COLUMNS = 16, WIDTH = 9, BANKS = 2, ADDRESS_BITS = 6,
  parameter int COUNT_BITS = 4, WEIGHT_BITS = 12, DRIVE_BITS = 22,
  parameter int ERROR_BITS = 8, RATE_BITS = 14,
  parameter bit HAS_CURRENTS = 1,
  parameter int CURRENT_BITS = 20,
  // Derived; leave them.
  parameter int SLICES = (COLUMNS + WIDTH - 1) / WIDTH,
  parameter int LEAVES = 2 ** $clog2(SLICES)
) (
  input  logic clock, reset,
  input  logic [BANKS-1:0] row_valid,
  input  logic [BANKS*ADDRESS_BITS-1:0] row_address,
  input  logic [BANKS*COUNT_BITS-1:0] row_count,
  input  logic learn,                          // the rows
  input  logic double,                         // the sums
  input  logic negative,                       // the only row of a clock
  input  logic [RATE_BITS-1:0] rate,
  input  logic [15:0] word,
  input  logic clear,
  input  logic [4:0] pick,
  output logic busy,
  output logic [SLICES*DRIVE_BITS-1:0] heads,  // 2 clocks later
  // The host writes a weight of the column `pick` of a slice.
  input  logic select, load,
  input  logic [7:0] load_slice,
  input  logic [WEIGHT_BITS-1:0] weight_in,
  // Errors, of a column of each bank in a clock.
  input  logic [BANKS-1:0] error_valid,
  input  logic [BANKS*10-1:0] error_address,
  input  logic [BANKS*ERROR_BITS-1:0] errors,
  input  logic [COLUMNS-1:0] open,
  input  logic next,
  output logic pending,  // more columns err
  // Currents of the rows.
  output logic [BANKS-1:0] current_valid,
  output logic [BANKS*ADDRESS_BITS-1:0] current_address,
  output logic [BANKS*CURRENT_BITS-1:0] currents
);

  localparam int SCALED_BITS = RATE_BITS + COUNT_BITS;   // of rate times T, and 0
  localparam int LATENCY = 4 + $clog2(SLICES);   // of currents
  localparam int STAGES = LATENCY > 6 ? LATENCY : 6;

  logic [STAGES:1] learns;
  logic [3:1] doubles;
  logic [2:1] negatives;
  logic [BANKS-1:0] add, write, pipes;
  logic [BANKS*ADDRESS_BITS-1:0] write_address;
  logic [BANKS*SCALED_BITS-1:0] scaled;
  logic [BANKS*16-1:0] random;
  logic [BANKS*LEAVES*CURRENT_BITS-1:0] partial;
  logic [SLICES-1:0] waits;
  assign busy = pipes != '0;
  assign pending = waits != '0;
  always_ff @(posedge clock) begin
    learns <= {learns[STAGES-1:1], learn};
    doubles <= reset ? '0 : {doubles[2:1], double};
    negatives <= {negatives[1], negative && row_valid != '0};
  end

  for (genvar b = 0; b < BANKS; b++) begin : g_pipe
    logic [STAGES:1] valid;
    logic [STAGES*ADDRESS_BITS-1:0] address;
    logic [15:0] index1;
    always_ff @(posedge clock) begin
      valid <= reset ? '0 : {valid[STAGES-1:1], row_valid[b]};
      address <= (STAGES*ADDRESS_BITS)'({address,
        row_address[ADDRESS_BITS * b +: ADDRESS_BITS]});
      scaled[SCALED_BITS * b +: SCALED_BITS] <= SCALED_BITS'(rate)
        * SCALED_BITS'(row_count[COUNT_BITS * b +: COUNT_BITS]);
      index1 <= 16'(row_address[ADDRESS_BITS * b +: ADDRESS_BITS]) * 16'(BANKS)
        + 16'(b + 1);
      random[16 * b +: 16] <= (index1 * 16'h9E37) ^ word;
      write[b] <= !reset && valid[2] && (learns[2] || load);
    end
    assign write_address[ADDRESS_BITS * b +: ADDRESS_BITS] =
      address[ADDRESS_BITS * 2 +: ADDRESS_BITS];
    assign add[b] = valid[1];
    assign pipes[b] = row_valid[b] || valid != '0;
    assign current_valid[b] = valid[LATENCY] && learns[LATENCY];
    assign current_address[ADDRESS_BITS * b +: ADDRESS_BITS] =
      address[ADDRESS_BITS * (LATENCY - 1) +: ADDRESS_BITS];
  end

  for (genvar s = 0; s < LEAVES; s++) begin : g_slice
    if (s < SLICES) begin : g_own
      localparam int FIRST = WIDTH * s;
      localparam int OWN = s == SLICES - 1 ? COLUMNS - FIRST : WIDTH;
      logic [BANKS*CURRENT_BITS-1:0] own;
      logic [OWN-1:0] err;                  // columns that wait
      logic [OWN*ERROR_BITS-1:0] values;
      logic [4:0] lowest, column;
      logic [ERROR_BITS-1:0] error, lowest_value;
      assign waits[s] = err != '0;
      always_comb begin
        lowest = '0;
        lowest_value = '0;
        for (int j = OWN - 1; j >= 0; j--)
          if (err[j]) begin
            lowest = 5'(j);
            lowest_value = values[ERROR_BITS * j +: ERROR_BITS];
          end
      end
      always_ff @(posedge clock) begin
        for (int j = 0; j < OWN; j++) begin
          if (error_valid[(FIRST + j) % BANKS]
              && error_address[10 * ((FIRST + j) % BANKS) +: 10]
                == 10'((FIRST + j) / BANKS)) begin
            values[ERROR_BITS * j +: ERROR_BITS] <=
              errors[ERROR_BITS * ((FIRST + j) % BANKS) +: ERROR_BITS];
            err[j] <= open[FIRST + j]
              && errors[ERROR_BITS * ((FIRST + j) % BANKS) +: ERROR_BITS] != '0;
          end
          if (next && lowest == 5'(j)) err[j] <= 1'b0;
        end
        if (next || select) begin
          column <= select ? pick : lowest;
          error <= select ? '0 : lowest_value;
        end
        if (reset) err <= '0;
      end
      slice #(
        .COLUMNS(OWN), .FIRST(FIRST), .ADDRESS_BITS(ADDRESS_BITS),
        .BANKS(BANKS), .WEIGHT_BITS(WEIGHT_BITS),
        .DRIVE_BITS(DRIVE_BITS), .ERROR_BITS(ERROR_BITS),
        .SCALED_BITS(SCALED_BITS), .HAS_CURRENTS(HAS_CURRENTS),
        .CURRENT_BITS(CURRENT_BITS)
      ) slice (
        .clock, .read_address(row_address), .add, .negative(negatives[2]),
        .double(doubles[3]), .scaled, .random, .write, .write_address,
        .load(load && load_slice == 8'(s)), .weight_in, .clear, .pick, .column,
        .error, .head(heads[DRIVE_BITS * s +: DRIVE_BITS]), .currents(own));
      for (genvar b = 0; b < BANKS; b++) begin : g_bank
        assign partial[CURRENT_BITS * (LEAVES * b + s) +: CURRENT_BITS] =
          own[CURRENT_BITS * b +: CURRENT_BITS];
      end
    end else begin : g_none
      for (genvar b = 0; b < BANKS; b++) begin : g_bank
        assign partial[CURRENT_BITS * (LEAVES * b + s) +: CURRENT_BITS] = '0;
      end
    end
  end

  for (genvar b = 0; b < BANKS; b++) begin : g_current
    adder_tree #(.COUNT(LEAVES), .BITS(CURRENT_BITS)) tree (
      .clock, .terms(
        partial[CURRENT_BITS * LEAVES * b +: CURRENT_BITS * LEAVES]),
      .sum(currents[CURRENT_BITS * b +: CURRENT_BITS]));
  end

endmodule
