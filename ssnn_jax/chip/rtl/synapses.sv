// Synapses of one layer: slices of WIDTH columns, and the pipes of their rows.
module synapses #(
  parameter int ROWS = 65,                  // with the bias
  parameter int COLUMNS = 16,
  parameter int WIDTH = 18,
  parameter int BANKS = 2,
  parameter int ADDRESS_BITS = 6,
  parameter int WEIGHT_BITS = 12,
  parameter int ERROR_BITS = 3,
  parameter int DRIVE_BITS = 19,
  parameter int CURRENT_BITS = 18,          // of error currents; 0: none
  // Derived; leave them.
  parameter int SLICES = (COLUMNS + WIDTH - 1) / WIDTH,
  parameter int CURRENT_PORTS = CURRENT_BITS > 0 ? CURRENT_BITS : 1
) (
  input  logic                           clock,
  input  logic                           reset,
  input  logic [BANKS-1:0]               row_valid,
  input  logic [BANKS-1:0]               row_spike,
  input  logic [BANKS*ADDRESS_BITS-1:0]  row_address,
  input  logic                           access,    // of the host: read or load
  input  logic                           load,
  input  logic [WEIGHT_BITS-1:0]         weight_in,
  input  logic [15:0]                    enable_word,
  input  logic [16:0]                    enable_rate,
  input  logic                           shift,
  input  logic                           clear,
  input  logic [COLUMNS*ERROR_BITS-1:0]  errors,
  output logic                           busy,
  output logic [SLICES*DRIVE_BITS-1:0]   heads,     // first column of slices
  // Error currents of a row of each bank, in the order of the addresses.
  output logic                           received,  // all currents of a scan
  output logic                           current_valid,
  output logic [BANKS*CURRENT_PORTS-1:0] currents
);

  localparam int DEPTH = (ROWS + BANKS - 1) / BANKS;
  localparam int LEAVES = 2 ** $clog2(SLICES);   // of the sum over slices
  // Of currents, from stage 0.
  localparam int LATENCY = 5 + $clog2(WIDTH) + $clog2(SLICES);

  logic [BANKS-1:0] add, write, pipes;
  logic [BANKS*ADDRESS_BITS-1:0] write_address;
  logic [(SLICES+1)*DRIVE_BITS-1:0] chain /* verilator split_var */;
  logic [BANKS*LEAVES*CURRENT_PORTS-1:0] partial;
  assign busy = pipes != '0;
  assign heads = chain[SLICES*DRIVE_BITS-1:0];
  always_ff @(posedge clock)
    chain[SLICES*DRIVE_BITS +: DRIVE_BITS] <= DRIVE_BITS'(weight_in);

  for (genvar b = 0; b < BANKS; b++) begin : g_pipe
    row_pipe #(
      .BANKS(BANKS), .BANK(b), .ADDRESS_BITS(ADDRESS_BITS)
    ) pipe (
      .clock, .reset, .row_valid(row_valid[b]), .row_spike(row_spike[b]),
      .row_address(row_address[ADDRESS_BITS * b +: ADDRESS_BITS]), .access,
      .load, .enable_word, .enable_rate, .add(add[b]), .write(write[b]),
      .write_address(write_address[ADDRESS_BITS * b +: ADDRESS_BITS]),
      .busy(pipes[b]));
  end

  for (genvar s = 0; s < LEAVES; s++) begin : g_slice
    if (s < SLICES) begin : g_own
      localparam int OWN = s == SLICES - 1 ? COLUMNS - WIDTH * s : WIDTH;
      logic [BANKS*CURRENT_PORTS-1:0] own;
      column_slice #(
        .COLUMNS(OWN), .WIDTH(WIDTH), .DEPTH(DEPTH),
        .ADDRESS_BITS(ADDRESS_BITS),
        .BANKS(BANKS), .WEIGHT_BITS(WEIGHT_BITS), .ERROR_BITS(ERROR_BITS),
        .DRIVE_BITS(DRIVE_BITS), .CURRENT_BITS(CURRENT_BITS)
      ) slice (
        .clock, .read_address(row_address), .add, .write, .write_address,
        .load, .shift, .clear,
        .errors(errors[WIDTH * ERROR_BITS * s +: OWN * ERROR_BITS]),
        .next_head(chain[DRIVE_BITS * (s + 1) +: DRIVE_BITS]),
        .head(chain[DRIVE_BITS * s +: DRIVE_BITS]), .currents(own));
      for (genvar b = 0; b < BANKS; b++) begin : g_bank
        assign partial[CURRENT_PORTS * (LEAVES * b + s) +: CURRENT_PORTS] =
          own[CURRENT_PORTS * b +: CURRENT_PORTS];
      end
    end else begin : g_none
      for (genvar b = 0; b < BANKS; b++) begin : g_bank
        assign partial[CURRENT_PORTS * (LEAVES * b + s) +: CURRENT_PORTS] = '0;
      end
    end
  end

  for (genvar b = 0; b < BANKS; b++) begin : g_current
    adder_tree #(.COUNT(LEAVES), .BITS(CURRENT_PORTS)) tree (
      .clock, .terms(
        partial[CURRENT_PORTS * LEAVES * b +: CURRENT_PORTS * LEAVES]),
      .sum(currents[CURRENT_PORTS * b +: CURRENT_PORTS]));
  end

  logic [LATENCY-1:0] valid;              // not of rows of the host
  always_ff @(posedge clock)
    valid <= reset || access ? '0 : {valid[LATENCY-2:0], row_valid[0]};
  assign current_valid = valid[LATENCY-1];
  assign received = valid == '0;

endmodule
