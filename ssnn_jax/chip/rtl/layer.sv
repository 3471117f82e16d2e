// A layer of weights, and the neurons that it feeds: hidden ones, or classes.
//
// The counts of its rows are asked for by groups; single spikes of rows, of
// either sign, enter between scans.
module layer #(
  parameter int INPUTS = 64, NEURONS = 16,
  parameter bit IS_FIRST = 1,
  parameter bit IS_LAST = 0, HAS_EVENTS = 1,
  parameter int WIDTH = 3, TICKS_LOG = 3, WEIGHT_BITS = 12,
  parameter int FRACTION_BITS = 8, RATE_BITS = 16, CHANGE_BITS = 20,
  parameter int ERROR_BITS = 8, UNIT_BITS = 0, DIGITS = 2,
  parameter int CURRENT_BITS = 20, ABOVE_SHIFT = 6, ABOVE_CURRENT = 20,
  parameter int EXP_BITS = 10,
  parameter logic [256*EXP_BITS-1:0] EXPONENTIALS = '0,
  // Derived; leave them.
  parameter int COUNT_BITS = TICKS_LOG + 1, GROUPS = INPUTS / 32 + 1,
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int ADDRESS_BITS = GROUP_BITS + 5,
  parameter int ABOVE_GROUPS = NEURONS / 32 + 1,
  parameter int ABOVE_ADDRESS = ABOVE_GROUPS > 1 ? $clog2(ABOVE_GROUPS) + 5 : 6,
  parameter int SLICES = (NEURONS + WIDTH - 1) / WIDTH
) (
  /* verilator lint_off UNUSEDSIGNAL */  // of hidden neurons, or of classes
  input  logic clock, reset,
  // Rows.
  output logic issue,
  output logic [GROUP_BITS-1:0] group,
  input  logic [32*COUNT_BITS-1:0] counts,  // 2 clocks later
  input  logic [31:0] listed,
  input  logic spike, spike_negative,
  input  logic [15:0] spike_row,
  // Schedule.
  input  logic begins, levels, renew, passes, clear, classify,
  input  logic learning,
  input  logic [4:0] pass_pick,
  output logic scanning, pending,
  input  logic [RATE_BITS-1:0] rate,
  input  logic [15:0] word,
  // Access of the host.
  input  logic accessed,
  input  logic [15:0] access_row,
  input  logic present, load,
  input  logic [4:0] access_pick,
  input  logic [9:0] access_slice,
  input  logic [WEIGHT_BITS-1:0] weight_in,
  output logic [WEIGHT_BITS-1:0] chosen,
  // To and from the layer above, if it is not the last.
  output logic take,
  output logic [SLICES*COUNT_BITS-1:0] counts_out,
  output logic [SLICES-1:0] positive,
  input  logic above_valid,
  input  logic [ABOVE_ADDRESS-1:0] above_address,
  input  logic [ABOVE_CURRENT-1:0] above_current,
  // To the layer below.
  output logic current_valid,
  output logic [ADDRESS_BITS-1:0] current_address,
  output logic [CURRENT_BITS-1:0] current,
  // Of the last layer.
  input  logic [7:0] label,
  input  logic [15:0] phase,
  output logic classified,
  output logic [7:0] answer
);

  localparam int DRIVE_BITS = WEIGHT_BITS + TICKS_LOG + $clog2(INPUTS + 1);
  // A first layer sends weights to the host.
  localparam int SENT_BITS = IS_FIRST ? WEIGHT_BITS
    : CURRENT_BITS > DRIVE_BITS ? CURRENT_BITS : DRIVE_BITS;

  logic scan_valid, scan_level, row_valid, row_both, row_negative, error_valid;
  logic [ADDRESS_BITS-1:0] scan_address, row_address;
  logic [ADDRESS_BITS-2:0] odd_address;
  logic [9:0] error_address;
  logic [ERROR_BITS-1:0] error;
  logic [SLICES*DRIVE_BITS-1:0] heads;
  logic [SENT_BITS-1:0] sent;
  logic [NEURONS-1:0] open;
  logic [4:0] class_pick;
  logic [7:0] class_slice;

  scanner #(.GROUPS(GROUPS), .TICKS_LOG(TICKS_LOG)) scanner (
    .clock, .reset, .start(begins), .all(learning && !IS_FIRST),
    .single(learning), .issue, .group, .counts, .listed, .scanning,
    .row_valid(scan_valid), .row_level(scan_level), .row_address(scan_address),
    .row_both, .odd_address);

  logic [15:0] single;
  assign single = accessed ? access_row : spike_row;
  assign row_valid = scan_valid || spike || present;
  assign row_address = scan_valid ? scan_address : ADDRESS_BITS'(single);
  assign row_negative = !scan_valid && spike_negative;
`ifndef SYNTHESIS
  always @(posedge clock)
    if (!reset && (spike || present))
      assert (single <= 16'(INPUTS) && !scan_valid);
`endif

  synapses #(
    .COLUMNS(NEURONS), .WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS),
    .WEIGHT_BITS(WEIGHT_BITS), .DRIVE_BITS(DRIVE_BITS),
    .ERROR_BITS(ERROR_BITS), .UNIT_BITS(UNIT_BITS), .RATE_BITS(RATE_BITS),
    .CHANGE_BITS(CHANGE_BITS), .TICKS_LOG(TICKS_LOG), .HAS_CURRENTS(!IS_FIRST),
    .HAS_EVENTS(HAS_EVENTS), .SENT_BITS(SENT_BITS)
  ) synapses (
    .clock, .reset, .row_valid, .row_address, .row_both, .odd_address,
    .row_negative,
    .start(begins && learning), .learning, .level(scan_level || levels), .renew,
    .rate, .word, .clear,
    .pick(accessed ? access_pick : IS_LAST ? class_pick : pass_pick), .heads,
    .slice(accessed ? access_slice : 10'(class_slice)), .load, .weight_in,
    .error_valid, .error_address, .error, .open, .pending, .current_valid,
    .current_address, .sent);
  assign chosen = sent[WEIGHT_BITS-1:0];
  assign current = CURRENT_BITS'(sent);

  if (IS_LAST) begin : g_neurons
    classes #(
      .CLASSES(NEURONS), .WIDTH(WIDTH), .TICKS_LOG(TICKS_LOG),
      .FRACTION_BITS(FRACTION_BITS), .DRIVE_BITS(DRIVE_BITS),
      .DELAY(4 + $clog2(SLICES)), .ERROR_BITS(ERROR_BITS), .EXP_BITS(EXP_BITS),
      .EXPONENTIALS(EXPONENTIALS)
    ) classes (
      .clock, .reset, .start(classify), .pick(class_pick), .slice(class_slice),
      .drive(sent[DRIVE_BITS-1:0]), .label, .phase, .done(classified), .answer,
      .error_valid, .error_address, .error);
    assign open = '1;
    assign take = 1'b0;
    assign counts_out = '0;
    assign positive = '0;
  end else begin : g_neurons
    hidden #(
      .NEURONS(NEURONS), .WIDTH(WIDTH), .TICKS_LOG(TICKS_LOG),
      .FRACTION_BITS(FRACTION_BITS), .DRIVE_BITS(DRIVE_BITS),
      .ERROR_SHIFT(ABOVE_SHIFT), .CURRENT_BITS(ABOVE_CURRENT),
      .ERROR_BITS(ERROR_BITS), .DIGITS(DIGITS), .ADDRESS_BITS(ABOVE_ADDRESS)
    ) neurons (
      .clock, .reset, .pass(passes), .heads, .take, .counts(counts_out),
      .positive, .open, .current_valid(above_valid),
      .current_address(above_address), .current(above_current), .error_valid,
      .error_address, .error);
    assign class_pick = '0;
    assign class_slice = '0;
    assign classified = 1'b0;
    assign answer = '0;
  end

endmodule
