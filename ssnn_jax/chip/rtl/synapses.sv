// Synapses of one layer: slices of WIDTH columns, and the pipe of their rows.
//
// Errors of the columns arrive on a bus, and times the rate are the changes of
// weights by one spike. A tree adds what the slices send: their parts of the
// current of a row, or one of them its head.
module synapses #(
  parameter int COLUMNS = 16, WIDTH = 3, ADDRESS_BITS = 7,
  parameter int WEIGHT_BITS = 12, DRIVE_BITS = 22, ERROR_BITS = 8,
  parameter int UNIT_BITS = 0,                 // of errors, below 1
  parameter int RATE_BITS = 16, CHANGE_BITS = 20, TICKS_LOG = 3,
  parameter bit HAS_CURRENTS = 1, HAS_EVENTS = 1,
  parameter int SENT_BITS = 22,
  // Derived; leave them.
  parameter int SLICES = (COLUMNS + WIDTH - 1) / WIDTH
) (
  input  logic clock, reset, row_valid,
  input  logic [ADDRESS_BITS-1:0] row_address,
  input  logic row_both,                       // and another, odd one
  input  logic [ADDRESS_BITS-2:0] odd_address, // its half
  input  logic row_negative,
  input  logic start, learning,                // a pass of learning
  input  logic level,                          // of the rows is complete
  input  logic renew,                          // the totals
  input  logic [RATE_BITS-1:0] rate,
  input  logic [15:0] word,
  input  logic clear,
  input  logic [4:0] pick,                     // columns of the heads
  output logic [SLICES*DRIVE_BITS-1:0] heads,  // 3 clocks later
  // The head of a slice is sent. The host writes a weight of its column `pick`.
  input  logic [9:0] slice,
  input  logic load,
  input  logic [WEIGHT_BITS-1:0] weight_in,
  // Errors of the columns.
  input  logic error_valid,
  input  logic [9:0] error_address,
  input  logic signed [ERROR_BITS-1:0] error,
  input  logic [COLUMNS-1:0] open,
  output logic pending,                        // some err
  // Currents of the rows.
  output logic current_valid,
  output logic [ADDRESS_BITS-1:0] current_address,
  output logic [SENT_BITS-1:0] sent            // 4 clocks and a tree after pick
);

  localparam int LEAVES = 2 ** $clog2(SLICES);
  localparam int OWN_STAGES = $clog2(WIDTH);   // of the tree of a slice
  localparam int STAGES = 7 + OWN_STAGES + $clog2(SLICES);

  logic [STAGES:1] valid;
  logic [STAGES:1][ADDRESS_BITS-1:0] address;
  logic [2:1][ADDRESS_BITS-2:0] odd_addresses;
  logic [4:1] levels, negatives, boths;
  logic [15:0] scattered3, random4;
  logic write5, own_start, own_learning, own_clear, own_load;
  logic [4:0] own_pick;
  logic [9:0] own_slice;
  logic [LEAVES*SENT_BITS-1:0] terms;
  assign current_valid = valid[STAGES] && own_learning;
  assign current_address = address[STAGES];
  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[STAGES-1:1], row_valid};
    address <= {address[STAGES-1:1], row_address};
    levels <= {levels[3:1], level};
    negatives <= {negatives[3:1], row_negative};
    boths <= {boths[3:1], row_both};
    odd_addresses <= {odd_addresses[1], odd_address};
    scattered3 <= 16'(address[2]) * 16'h9E37;
    random4 <= (scattered3 + 16'h9E37) ^ word;
    write5 <= valid[4] && (own_learning || own_load);
    own_start <= start;
    own_learning <= learning;
    own_clear <= clear;
    own_pick <= pick;
    own_slice <= slice;
    own_load <= load;
    if (error_valid && error != '0) pending <= 1'b1;
    if (clear) pending <= 1'b0;
  end

  // An error: 1 times the rate, 2 rounded, 3 saturated.
  localparam int PRODUCT_BITS = RATE_BITS + 1 + ERROR_BITS;
  localparam int ROUNDED_BITS = PRODUCT_BITS - UNIT_BITS > CHANGE_BITS
    ? PRODUCT_BITS - UNIT_BITS + 1 : CHANGE_BITS + 1;
  localparam logic [CHANGE_BITS-1:0] MOST = {1'b0, {(CHANGE_BITS-1){1'b1}}};
  logic [RATE_BITS-1:0] own_rate;
  logic signed [PRODUCT_BITS-1:0] product1;
  logic signed [ROUNDED_BITS-1:0] rounded2;
  logic [CHANGE_BITS-1:0] change3;
  logic [3:1] errors_valid;
  logic [3:1][9:0] error_addresses;
  logic [3:1][ERROR_BITS-1:0] errors;
  always_ff @(posedge clock) begin
    own_rate <= rate;
    errors_valid <= reset ? '0 : {errors_valid[2:1], error_valid};
    error_addresses <= {error_addresses[2:1], error_address};
    errors <= {errors[2:1], error};
    product1 <= $signed(PRODUCT_BITS'(own_rate)) * PRODUCT_BITS'(error);
    rounded2 <= ROUNDED_BITS'(((PRODUCT_BITS+1)'(product1)
      + $signed((PRODUCT_BITS+1)'(2 ** UNIT_BITS / 2))) >>> UNIT_BITS);
    change3 <= rounded2 == ROUNDED_BITS'($signed(rounded2[CHANGE_BITS-1:0]))
      ? rounded2[CHANGE_BITS-1:0]
      : MOST ^ {CHANGE_BITS{rounded2[ROUNDED_BITS-1]}};
  end

  for (genvar s = 0; s < LEAVES; s++) begin : g_slice
    if (s < SLICES) begin : g_own
      localparam int FIRST = WIDTH * s;
      localparam int OWN = s == SLICES - 1 ? COLUMNS - FIRST : WIDTH;
      logic show;
      always_ff @(posedge clock) show <= own_slice == 10'(s);
      slice #(
        .COLUMNS(OWN), .FIRST(FIRST), .ADDRESS_BITS(ADDRESS_BITS),
        .WEIGHT_BITS(WEIGHT_BITS), .DRIVE_BITS(DRIVE_BITS),
        .ERROR_BITS(ERROR_BITS), .CHANGE_BITS(CHANGE_BITS),
        .TREE_STAGES(OWN_STAGES), .HAS_CURRENTS(HAS_CURRENTS),
        .HAS_EVENTS(HAS_EVENTS), .TICKS_LOG(TICKS_LOG), .SENT_BITS(SENT_BITS)
      ) own (
        .clock, .even_address(address[2][ADDRESS_BITS-1:1]),
        .odd_address(boths[2] ? odd_addresses[2]
          : address[2][ADDRESS_BITS-1:1]),
        .is_odd(address[3][0]), .fall(levels[3] && own_learning),
        .add(valid[4]), .both(boths[4]), .negative(negatives[4]),
        .level(levels[4]), .renew,
        .random(random4), .write(write5), .write_address(address[5]),
        .load(own_load && show), .weight_in, .clear(own_clear),
        .error_valid(errors_valid[3]), .error_address(error_addresses[3]),
        .error(errors[3]), .change(change3), .open(open[FIRST +: OWN]),
        .start(own_start), .learning(own_learning), .pick(own_pick), .show,
        .head(heads[DRIVE_BITS * s +: DRIVE_BITS]),
        .sent(terms[SENT_BITS * s +: SENT_BITS]));
    end else begin : g_none
      assign terms[SENT_BITS * s +: SENT_BITS] = '0;
    end
  end
  adder_tree #(.COUNT(LEAVES), .BITS(SENT_BITS)) tree (
    .clock, .terms, .sum(sent));

endmodule
