// Neurons of a hidden layer: a lane for each slice, all in the same clocks.
module hidden_neurons #(
  parameter int NEURONS = 16,
  parameter int WIDTH = 18,
  parameter int LAYER = 0,
  parameter int BANKS = 2,
  parameter int DRIVE_BITS = 19,
  parameter int CURRENT_BITS = 13,
  parameter int TICK_BITS = 7,
  parameter int FRACTION_BITS = 8,
  parameter int WORTH_BITS = 8,
  parameter int SLICES = (NEURONS + WIDTH - 1) / WIDTH
) (
  input  logic                          clock,
  input  logic                          reset,
  input  logic                          start,
  input  logic                          first,
  input  logic                          scan,
  input  logic                          scanned,   // this layer and the next
  output logic                          shift,
  output logic                          clear,
  output logic                          done,      // the next tick may scan
  input  logic [SLICES*DRIVE_BITS-1:0]  drives,
  input  logic                          current_valid,
  input  logic [BANKS*CURRENT_BITS-1:0] currents,
  output logic                          spike_valid,
  output logic [SLICES-1:0]             spikes,
  output logic [3*NEURONS-1:0]          errors
);

  localparam int LIMIT_BITS = TICK_BITS + FRACTION_BITS;
  localparam int WORD_BITS = $clog2(WIDTH / BANKS);
  localparam int SLICE_BITS = $clog2(SLICES + 1);

  // The pass: WIDTH clocks, then those in which results reach the next tick.
  logic waiting;
  logic [4:0] count;
  logic [LIMIT_BITS-1:0] limit;           // 1 for each tick that integrates
  logic [SLICE_BITS-1:0] slice;           // of error currents that arrive
  logic [WORD_BITS-1:0] word;
  logic clear_lanes;
  logic [2:0] valid;                      // of the lanes, up to stage 2
  always_ff @(posedge clock) begin
    clear_lanes <= reset || start;
    {spike_valid, valid} <= reset ? '0 : {valid, shift};
    if (scan) waiting <= 1'b1;
    else if (scanned) waiting <= 1'b0;
    if (waiting && scanned) shift <= 1'b1;
    else if (count == 5'(WIDTH - 1)) shift <= 1'b0;
    clear <= shift && count == 5'(WIDTH - 1);
    if (shift || count != '0)
      count <= count == 5'(WIDTH + 2) ? '0 : count + 1'b1;
    // The last spike arrives with the next scan: no clock is left.
    if (scan) done <= 1'b0;
    else if (count == 5'(WIDTH + 1)) done <= 1'b1;

    if (start) limit <= LIMIT_BITS'(1 - LAYER) << FRACTION_BITS;
    else if (count == 5'(WIDTH + 2))
      limit <= limit + (LIMIT_BITS'(1) << FRACTION_BITS);

    if (scan) {slice, word} <= '0;
    else if (current_valid) begin
      word <= word == WORD_BITS'(WIDTH / BANKS - 1) ? '0 : word + 1'b1;
      slice <= slice + SLICE_BITS'(word == WORD_BITS'(WIDTH / BANKS - 1));
    end

    if (reset) begin
      waiting <= 1'b0;
      shift <= 1'b0;
      count <= '0;
      done <= 1'b0;
    end
  end

  /* verilator lint_off UNUSEDSIGNAL */  // of columns that a slice lacks
  logic [3*WIDTH*SLICES-1:0] all_errors;
  /* verilator lint_on UNUSEDSIGNAL */
  assign errors = all_errors[3*NEURONS-1:0];

  for (genvar s = 0; s < SLICES; s++) begin : g_slice
    neuron_lane #(
      .WIDTH(WIDTH), .BANKS(BANKS), .DRIVE_BITS(DRIVE_BITS),
      .CURRENT_BITS(CURRENT_BITS),
      .TICK_BITS(TICK_BITS), .FRACTION_BITS(FRACTION_BITS),
      .WORTH_BITS(WORTH_BITS)
    ) lane (
      .clock, .clear(clear_lanes), .first, .shift,
      .drive_in(drives[DRIVE_BITS * s +: DRIVE_BITS]), .limit,
      .current_write(current_valid && slice == SLICE_BITS'(s)),
      .current_address(word), .currents_in(currents),
      .spike(spikes[s]), .errors(all_errors[3 * WIDTH * s +: 3 * WIDTH]));
  end

endmodule
