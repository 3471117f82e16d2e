// Hidden neurons: counts of forward spikes, and errors of the gates that are
// open.
//
// In a pass, the drives of the columns leave their slices, one in a clock:
// X = clip(D + 1/2, 0, T). Later the currents of the rows above arrive, whose
// leading digits are the errors.
module hidden #(
  parameter int NEURONS = 16, WIDTH = 3,
  parameter int TICKS_LOG = 3,            // T = 2^TICKS_LOG
  parameter int FRACTION_BITS = 8,        // of the drives
  parameter int DRIVE_BITS = 22,
  parameter int ERROR_SHIFT = 8,          // of the currents
  parameter int CURRENT_BITS = 20, ERROR_BITS = 8, DIGITS = 2,
  parameter int ADDRESS_BITS = 4,         // of the rows above
  // Derived; leave them.
  parameter int COUNT_BITS = TICKS_LOG + 1,
  parameter int SLICES = (NEURONS + WIDTH - 1) / WIDTH
) (
  input  logic clock, reset,
  input  logic pass,                           // of a neuron of each slice
  input  logic [SLICES*DRIVE_BITS-1:0] heads,  // 3 clocks later
  output logic take,                           // 4 clocks later
  output logic [SLICES*COUNT_BITS-1:0] counts,
  output logic [SLICES-1:0] positive,
  output logic [NEURONS-1:0] open,
  input  logic current_valid,
  input  logic [ADDRESS_BITS-1:0] current_address,
  input  logic [CURRENT_BITS-1:0] current,
  output logic error_valid,
  output logic [9:0] error_address,
  output logic [ERROR_BITS-1:0] error
);

  localparam int ROUNDED_BITS = 1 + (DRIVE_BITS - FRACTION_BITS > COUNT_BITS
    ? DRIVE_BITS - FRACTION_BITS : COUNT_BITS);

  logic [4:1] passes;
  assign take = passes[4];
  always_ff @(posedge clock) passes <= reset ? '0 : {passes[3:1], pass};

  for (genvar s = 0; s < SLICES; s++) begin : g_slice
    logic signed [DRIVE_BITS-1:0] drive;
    logic signed [ROUNDED_BITS-1:0] rounded;
    logic [WIDTH-1:0] gates;
    logic gate4;
    (* keep *) logic own_take;            // a slice may be far away
    assign drive = heads[DRIVE_BITS * s +: DRIVE_BITS];
    assign rounded = ROUNDED_BITS'((DRIVE_BITS+1)'(drive) + (DRIVE_BITS+1)'(
      $signed((DRIVE_BITS+1)'(1) << (FRACTION_BITS - 1))) >>> FRACTION_BITS);
    always_ff @(posedge clock) begin
      // By bits: comparisons would be adders.
      counts[COUNT_BITS * s +: COUNT_BITS] <= rounded < 0 ? '0
        : (rounded >>> TICKS_LOG) != 0
        ? COUNT_BITS'(2 ** TICKS_LOG) : COUNT_BITS'(rounded);
      positive[s] <= !drive[DRIVE_BITS-1] && drive != 0;
      // Rows with a drive of 0 or below are not listed, and have no error.
      gate4 <= (drive >>> (TICKS_LOG + FRACTION_BITS)) == 0;
      own_take <= passes[3];
      if (own_take) gates <= WIDTH'({gate4, gates} >> 1);
    end
    localparam int OWN = s == SLICES - 1 ? NEURONS - WIDTH * s : WIDTH;
    assign open[WIDTH * s +: OWN] = gates[OWN-1:0];
  end

  // A current: 1 rounded, 2 saturated, and then its digits.
  localparam int STAGES = 2 + 3 * DIGITS;
  localparam int SUM_BITS =
    CURRENT_BITS - ERROR_SHIFT > ERROR_BITS ? CURRENT_BITS - ERROR_SHIFT + 1
    : ERROR_BITS + 1;
  logic [STAGES:1] valid;
  logic [STAGES:1][ADDRESS_BITS-1:0] address;
  logic signed [SUM_BITS-1:0] sum1, most;  // a constant has no sign in yosys
  assign most = SUM_BITS'(2 ** (ERROR_BITS - 2));
  logic signed [ERROR_BITS-1:0] sum2;
  assign error_valid = valid[STAGES];
  assign error_address = 10'(address[STAGES]);
  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[STAGES-1:1], current_valid};
    address <= {address[STAGES-1:1], current_address};
    sum1 <= SUM_BITS'(((CURRENT_BITS+1)'($signed(current))
      + $signed((CURRENT_BITS+1)'(2 ** ERROR_SHIFT / 2))) >>> ERROR_SHIFT);
    sum2 <= ERROR_BITS'(sum1 > most ? most : sum1 < -most ? -most : sum1);
  end
  leading_digits #(.BITS(ERROR_BITS), .DIGITS(DIGITS)) digits (
    .clock, .value(sum2), .rounded(error));

endmodule
