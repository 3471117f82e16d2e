// Hidden neurons: counts of forward spikes, and errors of the gates that are
// open.
//
// In a pass, the drives of the columns leave their slices, one in a clock:
// X = clip(D + 1/2, 0, T). Later the currents of the rows above add up, of each
// pass of learning; rounded they are error spikes, those of the last pass.
module hidden #(
  parameter int NEURONS = 16, WIDTH = 3,
  parameter int TICKS_LOG = 3,            // T = 2^TICKS_LOG
  parameter int FRACTION_BITS = 8,        // of the drives
  parameter int DRIVE_BITS = 22,
  parameter int ERROR_SHIFT = 8,          // of the currents, by the gain
  parameter int CURRENT_BITS = 20, ERROR_BITS = 8,
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
  input  logic current_valid, current_first,
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

  // Wide enough for the half that rounds.
  localparam int SUM_BITS =
    CURRENT_BITS > ERROR_SHIFT ? CURRENT_BITS : ERROR_SHIFT + 1;
  // A current: 1 and 2 the sum before, as block RAM answers late, 3 the new one.
  logic signed [CURRENT_BITS-1:0] sums[2 ** ADDRESS_BITS];
  logic signed [CURRENT_BITS-1:0] before1, before2, current1, current2, total3;
  logic [ADDRESS_BITS-1:0] address1, address2, address3;
  logic valid1, valid2, valid3, first1, first2;
  always_ff @(posedge clock) begin
    {error_valid, valid3, valid2, valid1} <=
      reset ? '0 : {valid3, valid2, valid1, current_valid};
    {first2, first1} <= {first1, current_first};
    {address3, address2, address1} <= {address2, address1, current_address};
    {current2, current1} <= {current1, current};
    before1 <= sums[current_address];
    before2 <= before1;
    total3 <= (first2 ? '0 : before2) + current2;
    if (valid3) sums[address3] <= total3;
    error_address <= 10'(address3);
    error <= ERROR_BITS'((SUM_BITS'(total3)
      + $signed(SUM_BITS'(1) << (ERROR_SHIFT - 1))) >>> ERROR_SHIFT);
  end

endmodule
