// Synapses of one layer: slices of WIDTH columns, and the pipe of their rows.
//
// Errors of the columns arrive on a bus; `next` selects in each slice the next
// column that errs, with which the rows that follow learn. A tree adds what the
// slices send: their parts of the current of a row, or one of them its head.
module synapses #(
  parameter int COLUMNS = 16, WIDTH = 3, ADDRESS_BITS = 7, COUNT_BITS = 4,
  parameter int WEIGHT_BITS = 12, DRIVE_BITS = 22, ERROR_BITS = 8,
  parameter int RATE_BITS = 14, TICKS_LOG = 3,
  parameter bit HAS_CURRENTS = 1, HAS_EVENTS = 1,
  parameter int SENT_BITS = 22,
  // Derived; leave them.
  parameter int SLICES = (COLUMNS + WIDTH - 1) / WIDTH
) (
  input  logic clock, reset, row_valid,
  input  logic [ADDRESS_BITS-1:0] row_address,
  input  logic [COUNT_BITS-1:0] row_count,
  input  logic row_negative, learn, first,     // pass of learning
  input  logic level,                          // of the totals is complete
  input  logic renew,                          // the sums
  input  logic [RATE_BITS-1:0] rate,
  input  logic [15:0] word,
  input  logic clear,
  input  logic [4:0] pick,                     // columns of the heads
  output logic [SLICES*DRIVE_BITS-1:0] heads,  // 3 clocks later
  // The head of a slice is sent. The host writes a weight of its column `pick`.
  input  logic [9:0] slice,
  input  logic select, load,
  input  logic [WEIGHT_BITS-1:0] weight_in,
  // Errors of the columns.
  input  logic error_valid,
  input  logic [9:0] error_address,
  input  logic [ERROR_BITS-1:0] error,
  input  logic [COLUMNS-1:0] open,
  input  logic next,
  output logic pending,  // more columns err
  // Currents of the rows.
  output logic current_valid, current_first,
  output logic [ADDRESS_BITS-1:0] current_address,
  output logic [SENT_BITS-1:0] sent            // 4 clocks and a tree after pick
);

  localparam int SCALED_BITS = RATE_BITS + COUNT_BITS;   // of rate times T, and 0
  localparam int LEAVES = 2 ** $clog2(SLICES);
  localparam int STAGES = 6 + $clog2(SLICES);

  logic [STAGES:1] valid, learns, firsts;
  logic [STAGES:1][ADDRESS_BITS-1:0] address;
  logic [4:1] levels, negatives;
  logic [COUNT_BITS-1:0] count1, count2;
  logic [SCALED_BITS-1:0] scaled3;
  logic [RATE_BITS-1:0] own_rate;
  logic [15:0] scattered3, random4;
  logic write5, own_next, own_clear, own_select, own_load;
  logic [4:0] own_pick;
  logic [9:0] own_slice;
  logic [SLICES-1:0] waits;
  logic [(SLICES+15)/16-1:0] some_wait;   // of 16 slices
  logic [LEAVES*SENT_BITS-1:0] terms;
  assign current_valid = valid[STAGES] && learns[STAGES];
  assign current_first = firsts[STAGES];
  assign current_address = address[STAGES];
  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[STAGES-1:1], row_valid};
    learns <= {learns[STAGES-1:1], learn};
    firsts <= {firsts[STAGES-1:1], first};
    address <= {address[STAGES-1:1], row_address};
    levels <= {levels[3:1], level};
    negatives <= {negatives[3:1], row_negative};
    own_rate <= rate;
    {count2, count1} <= {count1, row_count};
    scaled3 <= SCALED_BITS'(own_rate) * SCALED_BITS'(count2);
    scattered3 <= 16'(address[2]) * 16'h9E37;
    random4 <= (scattered3 + 16'h9E37) ^ word;
    write5 <= valid[4] && (learns[4] || own_load);
    own_next <= next;
    own_clear <= clear;
    own_pick <= pick;
    own_slice <= slice;
    own_select <= select;
    own_load <= load;
    pending <= some_wait != '0;
    for (int k = 0; k < (SLICES + 15) / 16; k++)
      some_wait[k] <= 16'(waits >> 16 * k) != '0;
  end

  for (genvar s = 0; s < LEAVES; s++) begin : g_slice
    if (s < SLICES) begin : g_own
      localparam int FIRST = WIDTH * s;
      localparam int OWN = s == SLICES - 1 ? COLUMNS - FIRST : WIDTH;
      logic [OWN-1:0] err;                  // columns that wait
      logic [OWN*ERROR_BITS-1:0] values;
      logic [4:0] lowest, column;
      logic [ERROR_BITS-1:0] own_error, lowest_value;
      logic show;
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
        waits[s] <= err != '0;
        show <= own_slice == 10'(s);
        for (int j = 0; j < OWN; j++) begin
          if (error_valid && error_address == 10'(FIRST + j)) begin
            values[ERROR_BITS * j +: ERROR_BITS] <= error;
            err[j] <= open[FIRST + j] && error != '0;
          end
          if (own_next && lowest == 5'(j)) err[j] <= 1'b0;
        end
        if (own_next || own_select) begin
          column <= own_select ? own_pick : lowest;
          own_error <= own_select ? '0 : lowest_value;
        end
        if (reset) err <= '0;
      end
      slice #(
        .COLUMNS(OWN), .FIRST(FIRST), .ADDRESS_BITS(ADDRESS_BITS),
        .WEIGHT_BITS(WEIGHT_BITS), .DRIVE_BITS(DRIVE_BITS),
        .ERROR_BITS(ERROR_BITS), .SCALED_BITS(SCALED_BITS),
        .HAS_CURRENTS(HAS_CURRENTS), .HAS_EVENTS(HAS_EVENTS),
        .TICKS_LOG(TICKS_LOG), .SENT_BITS(SENT_BITS)
      ) own (
        .clock, .read_address(address[2]), .scaled(scaled3), .add(valid[4]),
        .negative(negatives[4]), .random(random4), .level(levels[4]), .renew,
        .learn(learns[4]), .write(write5), .write_address(address[5]),
        .load(own_load && show), .weight_in, .clear(own_clear), .column,
        .error(own_error), .pick(own_pick), .show,
        .head(heads[DRIVE_BITS * s +: DRIVE_BITS]),
        .sent(terms[SENT_BITS * s +: SENT_BITS]));
    end else begin : g_none
      assign terms[SENT_BITS * s +: SENT_BITS] = '0;
    end
  end
  adder_tree #(.COUNT(LEAVES), .BITS(SENT_BITS)) tree (
    .clock, .terms, .sum(sent));

endmodule
