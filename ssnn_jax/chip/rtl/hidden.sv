// Hidden neurons: counts of forward spikes, and errors of the gates that are
// open.
//
// In a pass, the drives of the columns leave their slices, one in a clock:
// X = clip(D + 1/2, 0, T). Later the currents of the rows above add up, of each
// pass of learning; rounded they are error spikes, those of the last pass.
module hidden #(
  parameter int NEURONS = 16, WIDTH = 9, BANKS = 2,
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
  input  logic [SLICES*DRIVE_BITS-1:0] heads,  // 2 clocks later
  output logic take,                           // 3 clocks later
  output logic [SLICES*COUNT_BITS-1:0] counts,
  output logic [SLICES-1:0] positive,
  output logic [NEURONS-1:0] open,
  input  logic first,                          // pass of learning above
  input  logic [BANKS-1:0] current_valid,
  input  logic [BANKS*ADDRESS_BITS-1:0] current_address,
  input  logic [BANKS*CURRENT_BITS-1:0] currents,
  output logic [BANKS-1:0] error_valid,
  output logic [BANKS*10-1:0] error_address,
  output logic [BANKS*ERROR_BITS-1:0] errors,
  output logic busy
);

  localparam int ROUNDED_BITS = 1 + (DRIVE_BITS - FRACTION_BITS > COUNT_BITS
    ? DRIVE_BITS - FRACTION_BITS : COUNT_BITS);
  localparam int DEPTH = 2 ** ADDRESS_BITS;

  logic [3:1] passes;
  assign take = passes[3];
  always_ff @(posedge clock) passes <= reset ? '0 : {passes[2:1], pass};

  for (genvar s = 0; s < SLICES; s++) begin : g_slice
    logic signed [DRIVE_BITS-1:0] drive;
    logic signed [ROUNDED_BITS-1:0] rounded;
    logic [WIDTH-1:0] gates;
    logic gate3;
    assign drive = heads[DRIVE_BITS * s +: DRIVE_BITS];
    assign rounded = ROUNDED_BITS'((DRIVE_BITS+1)'(drive) + (DRIVE_BITS+1)'(
      $signed((DRIVE_BITS+1)'(1) << (FRACTION_BITS - 1))) >>> FRACTION_BITS);
    always_ff @(posedge clock) begin
      counts[COUNT_BITS * s +: COUNT_BITS] <= rounded < 0 ? '0
        : rounded > $signed(ROUNDED_BITS'(2 ** TICKS_LOG))
        ? COUNT_BITS'(2 ** TICKS_LOG) : COUNT_BITS'(rounded);
      positive[s] <= drive > 0;
      // Rows with a drive of 0 or below are not listed, and have no error.
      gate3 <= (drive >>> (TICKS_LOG + FRACTION_BITS)) == 0;
      if (take) gates <= WIDTH'({gate3, gates} >> 1);
    end
    localparam int OWN = s == SLICES - 1 ? NEURONS - WIDTH * s : WIDTH;
    assign open[WIDTH * s +: OWN] = gates[OWN-1:0];
  end

  logic [BANKS-1:0] emit1;
  assign busy = current_valid != '0 || emit1 != '0 || error_valid != '0;
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    logic signed [CURRENT_BITS-1:0] sums[DEPTH];
    logic signed [CURRENT_BITS-1:0] sum, total1;
    logic [ADDRESS_BITS-1:0] address, address1;
    assign address = current_address[ADDRESS_BITS * b +: ADDRESS_BITS];
    assign sum = (first ? '0 : sums[address])
      + $signed(currents[CURRENT_BITS * b +: CURRENT_BITS]);
    always_ff @(posedge clock) begin
      if (current_valid[b]) sums[address] <= sum;
      total1 <= sum;
      address1 <= address;
      emit1[b] <= current_valid[b] && !reset;
      error_valid[b] <= emit1[b] && !reset;
      error_address[10 * b +: 10] <= 10'(address1);
      errors[ERROR_BITS * b +: ERROR_BITS] <= ERROR_BITS'((total1
        + $signed(CURRENT_BITS'(1) << (ERROR_SHIFT - 1))) >>> ERROR_SHIFT);
    end
  end

endmodule
