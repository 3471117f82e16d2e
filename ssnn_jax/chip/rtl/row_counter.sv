// Rows of a layer above the first: all of them, one of each bank in a clock.
//
// Every row gives the error current of its neuron, and is added if the neuron
// spikes. Spikes arrive from one neuron of each slice at a time, and leave in
// the order of the rows; the bias is the last one.
module row_counter #(
  parameter int INPUTS = 16,
  parameter int WIDTH = 18,
  parameter int BANKS = 2,
  parameter int SLICES = (INPUTS + WIDTH - 1) / WIDTH,
  parameter int ADDRESS_BITS = 4
) (
  input  logic                          clock,
  input  logic                          reset,
  input  logic                          start,
  input  logic                          spike_valid,
  input  logic [SLICES-1:0]             spikes_in,
  input  logic                          bias,     // spikes in this tick
  input  logic                          scan,
  output logic [BANKS-1:0]              row_valid,
  output logic [BANKS-1:0]              row_spike,
  output logic [BANKS*ADDRESS_BITS-1:0] row_address,
  output logic                          scanned
);

  localparam int ROWS = INPUTS / BANKS + 1;   // of a bank
  localparam int BIAS_BANK = INPUTS % BANKS;

  logic active, last;
  logic [ADDRESS_BITS-1:0] address;
  logic [WIDTH*SLICES-1:0] spikes;
  assign last = address == ADDRESS_BITS'(ROWS - 1);
  assign scanned = !active;

  always_ff @(posedge clock) begin
    for (int b = 0; b < BANKS; b++) begin
      row_valid[b] <= active && !(last && b > BIAS_BANK);
      row_spike[b] <= last && b == BIAS_BANK ? bias : spikes[b];
      row_address[ADDRESS_BITS * b +: ADDRESS_BITS] <= address;
    end
    if (spike_valid)
      for (int s = 0; s < SLICES; s++)
        spikes[WIDTH * s +: WIDTH] <=
          {spikes_in[s], spikes[WIDTH * s + 1 +: WIDTH - 1]};
    else if (active) spikes <= spikes >> BANKS;
    if (scan) begin
      active <= 1'b1;
      address <= '0;
    end else if (active) begin
      active <= !last;
      address <= address + 1'b1;
    end
    if (reset || start) spikes <= '0;
    if (reset) begin
      active <= 1'b0;
      row_valid <= '0;
    end
  end

endmodule
