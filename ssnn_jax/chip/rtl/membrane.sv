// Membrane of one neuron: the potential, a running mean of the drive.
//
// In the tick number n after the first spike can have arrived, the potential
// moves by a share of its distance to the drive:
//
//   v += (drive - v) / 2^floor(log2 n), rounded      a mean by shifts, or
//   v += (drive - v) / n, rounded                    MEAN: the exact mean
//
// The largest shift may be limited by the chip, for a leaky membrane. A mean is
// never above the largest drive, so that v has the bits of a drive.
module membrane #(
  parameter int BITS = 17,              // of the drive and the potential
  parameter int TICK_BITS = 7,          // of n
  parameter int SHIFT_BITS = 3,
  parameter bit MEAN = 0
) (
  input  logic                    clock,
  input  logic                    clear,      // at the start of a sample
  input  logic                    integrate,
  input  logic [SHIFT_BITS-1:0]   shift,      // floor(log2 n)
  input  logic [TICK_BITS-1:0]    elapsed,    // n
  input  logic signed [BITS-1:0]  drive,
  output logic signed [BITS-1:0]  potential
);

  // One bit more for the difference, and another for the rounding. Half of the
  // divisor may have more bits than the drive.
  localparam int WIDE = (BITS + 1 > TICK_BITS ? BITS + 1 : TICK_BITS) + 2;

  logic signed [WIDE-1:0] difference, rounded, change;

  always_comb difference = drive - potential;

  if (MEAN) begin : g_mean
    // floor((2 difference + n) / 2 n), with a division that truncates: of a
    // negative number, the quotient of its complement is one too small.
    logic [WIDE-1:0] quotient;
    always_comb begin
      rounded = (difference <<< 1) + $signed({1'b0, elapsed});
      quotient = (rounded ^ {WIDE{rounded[WIDE-1]}}) / {elapsed, 1'b0};
      change = quotient ^ {WIDE{rounded[WIDE-1]}};
    end
  end else begin : g_shift
    logic [WIDE-1:0] half;
    always_comb begin
      half = ({{(WIDE-1){1'b0}}, 1'b1} << shift) >> 1;
      rounded = difference + $signed(half);
      change = rounded >>> shift;
    end
  end

  always_ff @(posedge clock)
    if (clear) potential <= '0;
    else if (integrate) potential <= potential + change[BITS-1:0];

endmodule
