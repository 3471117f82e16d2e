// Hidden neuron: spikes forward and backward, each from its own register.
//
//   forward spike   threshold < v
//   error spike     error_threshold < |g|, with the sign of g, if the gate is
//                   open: 0 < v < 1, where 1 is 2^FRACTION_BITS units
//
// v is the potential, the running mean of the drive from the layer below. g is
// the error current that arrived from the layer above one tick before.
module neuron #(
  parameter int FRACTION_BITS = 10,     // of v: unit 2^-FRACTION_BITS
  parameter int ERROR_BITS = 10,        // fraction bits of g
  parameter int DRIVE_BITS = 17,
  parameter int CURRENT_BITS = 11,
  parameter int TICK_BITS = 7,
  parameter int SHIFT_BITS = 3,
  parameter bit MEAN = 0
) (
  input  logic                           clock,
  input  logic                           clear,
  input  logic                           tick,
  input  logic                           integrate,
  input  logic [SHIFT_BITS-1:0]          shift,
  input  logic [TICK_BITS-1:0]           elapsed,
  input  logic signed [DRIVE_BITS-1:0]   drive,
  input  logic signed [CURRENT_BITS-1:0] current,     // from the layer above
  input  logic [FRACTION_BITS-1:0]       threshold,
  input  logic [ERROR_BITS-1:0]          error_threshold,
  output logic                           spike,
  output logic                           error,
  output logic                           negative,
  output logic signed [DRIVE_BITS-1:0]   potential,
  output logic signed [CURRENT_BITS-1:0] g
);

  localparam int WIDE =
    (DRIVE_BITS > FRACTION_BITS + 1 ? DRIVE_BITS : FRACTION_BITS + 1) + 1;

  membrane #(
    .BITS(DRIVE_BITS), .TICK_BITS(TICK_BITS), .SHIFT_BITS(SHIFT_BITS),
    .MEAN(MEAN)
  ) own (
    .clock, .clear, .integrate, .shift, .elapsed, .drive, .potential);

  always_ff @(posedge clock)
    if (clear) g <= '0;
    else if (tick) g <= current;

  // Sign-extended, since 1 may have more bits than the drive.
  logic signed [WIDE-1:0] v;
  logic is_open;
  logic [CURRENT_BITS-1:0] magnitude;   // unsigned: |g| of the smallest g fits
  always_comb begin
    v = potential;
    spike = $signed({1'b0, threshold}) < v;
    is_open = v > 0 && v < $signed({2'b01, {FRACTION_BITS{1'b0}}});
    negative = g[CURRENT_BITS-1];
    magnitude = negative ? -g : g;
    error = is_open && error_threshold < magnitude;
  end

endmodule
