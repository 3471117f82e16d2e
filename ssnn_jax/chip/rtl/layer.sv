// A layer of weights, and the neurons that it feeds: hidden ones, or classes.
//
// The counts of its rows are asked for by groups; single spikes of rows, of
// either sign, enter between scans.
module layer #(
  parameter int INPUTS = 64, NEURONS = 16,
  parameter bit IS_FIRST = 1,
  parameter bit IS_LAST = 0,
  parameter int WIDTH = 9, BANKS = 2, TICKS_LOG = 3, WEIGHT_BITS = 12,
  parameter int FRACTION_BITS = 8, RATE_BITS = 14, ERROR_BITS = 8,
  parameter int CURRENT_BITS = 20, ABOVE_SHIFT = 6, ABOVE_CURRENT = 20,
  parameter int EXP_BITS = 10,
  parameter logic [256*EXP_BITS-1:0] EXPONENTIALS = '0,
  // Derived; leave them.
  parameter int COUNT_BITS = TICKS_LOG + 1, GROUP = 8 * BANKS,
  parameter int GROUPS = INPUTS / GROUP + 1,
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int ADDRESS_BITS = GROUP_BITS + 3,
  parameter int ABOVE_GROUPS = NEURONS / GROUP + 1,
  parameter int ABOVE_ADDRESS = ABOVE_GROUPS > 1 ? $clog2(ABOVE_GROUPS) + 3 : 4,
  parameter int SLICES = (NEURONS + WIDTH - 1) / WIDTH
) (
  /* verilator lint_off UNUSEDSIGNAL */  // of hidden neurons, or of classes
  input  logic clock, reset,
  // Rows.
  output logic issue,
  output logic [GROUP_BITS-1:0] group,
  input  logic [GROUP*COUNT_BITS-1:0] counts,  // a clock later
  input  logic [GROUP-1:0] listed,
  input  logic spike, spike_negative,
  input  logic [15:0] spike_row,
  // Schedule.
  input  logic begins, scans, doubles, passes, clear, classify,
  input  logic learning, first,
  input  logic [4:0] pass_pick,
  output logic scanned, in_pipe, pending, settling,
  input  logic [RATE_BITS-1:0] rate,
  input  logic [15:0] word,
  // Access of the host.
  input  logic accessed,
  input  logic [15:0] access_row,
  input  logic present, load, select,
  input  logic [4:0] access_pick,
  input  logic [7:0] access_slice,
  input  logic [WEIGHT_BITS-1:0] weight_in,
  output logic [WEIGHT_BITS-1:0] chosen,
  // To and from the layer above, if it is not the last.
  output logic take,
  output logic [SLICES*COUNT_BITS-1:0] counts_out,
  output logic [SLICES-1:0] positive,
  input  logic [BANKS-1:0] above_valid,
  input  logic [BANKS*ABOVE_ADDRESS-1:0] above_address,
  input  logic [BANKS*ABOVE_CURRENT-1:0] above_currents,
  // To the layer below.
  output logic [BANKS-1:0] current_valid,
  output logic [BANKS*ADDRESS_BITS-1:0] current_address,
  output logic [BANKS*CURRENT_BITS-1:0] currents,
  // Of the last layer.
  input  logic [7:0] label,
  input  logic [15:0] phase,
  output logic classified,
  output logic [7:0] answer
);

  localparam int DRIVE_BITS = WEIGHT_BITS + TICKS_LOG + $clog2(INPUTS + 1);

  logic [BANKS-1:0] source_valid, valid, error_valid;
  logic [BANKS*ADDRESS_BITS-1:0] source_address, address;
  logic [BANKS*COUNT_BITS-1:0] row_count;
  logic [BANKS*10-1:0] error_address;
  logic [BANKS*ERROR_BITS-1:0] errors;
  logic [SLICES*DRIVE_BITS-1:0] heads;
  logic [DRIVE_BITS-1:0] drive;
  logic [NEURONS-1:0] open;
  logic [4:0] class_pick;
  logic [7:0] class_slice, slice, slice1, slice2;

  row_groups #(
    .GROUPS(GROUPS), .BANKS(BANKS), .COUNT_BITS(COUNT_BITS)
  ) groups (
    .clock, .reset, .start(begins), .all(learning), .issue, .group, .counts,
    .listed, .scan(scans), .scanned, .row_valid(source_valid),
    .row_address(source_address), .row_count);

  logic [15:0] single;
  assign single = accessed ? access_row : spike_row;
`ifndef SYNTHESIS
  always @(posedge clock)
    if (spike || present) assert (single <= 16'(INPUTS));
`endif
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    assign valid[b] = source_valid[b]
      || ((spike || present) && 32'(single) % BANKS == b);
    assign address[ADDRESS_BITS * b +: ADDRESS_BITS] = source_valid[b]
      ? source_address[ADDRESS_BITS * b +: ADDRESS_BITS]
      : ADDRESS_BITS'(32'(single) / BANKS);
  end

  synapses #(
    .COLUMNS(NEURONS), .WIDTH(WIDTH), .BANKS(BANKS),
    .ADDRESS_BITS(ADDRESS_BITS), .COUNT_BITS(COUNT_BITS),
    .WEIGHT_BITS(WEIGHT_BITS), .DRIVE_BITS(DRIVE_BITS), .ERROR_BITS(ERROR_BITS),
    .RATE_BITS(RATE_BITS), .HAS_CURRENTS(!IS_FIRST), .CURRENT_BITS(CURRENT_BITS)
  ) synapses (
    .clock, .reset, .row_valid(valid), .row_address(address), .row_count,
    .learn(learning), .double(doubles), .negative(spike_negative), .rate, .word,
    .clear, .pick(accessed ? access_pick : IS_LAST ? class_pick : pass_pick),
    .busy(in_pipe), .heads, .select, .load, .load_slice(access_slice),
    .weight_in, .error_valid, .error_address, .errors, .open,
    .next(begins && learning), .pending, .current_valid, .current_address,
    .currents);

  // One drive, for the host or the classes, as long after its slice as heads.
  assign slice = accessed ? access_slice : class_slice;
  always_ff @(posedge clock) begin
    slice1 <= slice;
    slice2 <= slice1;
    drive <= '0;
    for (int s = 0; s < SLICES; s++)
      if (slice2 == 8'(s)) drive <= heads[DRIVE_BITS * s +: DRIVE_BITS];
  end
  assign chosen = drive[WEIGHT_BITS-1:0];

  if (IS_LAST) begin : g_neurons
    classes #(
      .CLASSES(NEURONS), .WIDTH(WIDTH), .BANKS(BANKS), .TICKS_LOG(TICKS_LOG),
      .FRACTION_BITS(FRACTION_BITS), .DRIVE_BITS(DRIVE_BITS),
      .ERROR_BITS(ERROR_BITS), .EXP_BITS(EXP_BITS), .EXPONENTIALS(EXPONENTIALS)
    ) classes (
      .clock, .reset, .start(classify), .pick(class_pick), .slice(class_slice),
      .drive, .label, .phase, .done(classified), .answer,
      .error_valid, .error_address, .errors);
    assign open = '1;
    assign settling = error_valid != '0;
    assign take = 1'b0;
    assign counts_out = '0;
    assign positive = '0;
  end else begin : g_neurons
    hidden #(
      .NEURONS(NEURONS), .WIDTH(WIDTH), .BANKS(BANKS), .TICKS_LOG(TICKS_LOG),
      .FRACTION_BITS(FRACTION_BITS), .DRIVE_BITS(DRIVE_BITS),
      .ERROR_SHIFT(ABOVE_SHIFT), .CURRENT_BITS(ABOVE_CURRENT),
      .ERROR_BITS(ERROR_BITS), .ADDRESS_BITS(ABOVE_ADDRESS)
    ) neurons (
      .clock, .reset, .pass(passes), .heads, .take, .counts(counts_out),
      .positive, .open, .first, .current_valid(above_valid),
      .current_address(above_address), .currents(above_currents), .error_valid,
      .error_address, .errors, .busy(settling));
    assign class_pick = '0;
    assign class_slice = '0;
    assign classified = 1'b0;
    assign answer = '0;
  end

endmodule
