// Control of the rows of one bank on their way through the slices.
//
// A row is at stage 0 at the input. Slices register their control once more:
//
//   1  address of the memory        4  moved weights, sum of the banks
//   2  the row leaves the memory    5  data to write; sum of the rows
//   3  weights                      6  the memory is written
//
// An enabled row that spikes is written back; its enable bit is 1 with the
// probability of the rate, from a word whose bits each row inverts in its own
// way.
module row_pipe #(
  parameter int BANKS = 2,
  parameter int BANK = 0,
  parameter int ADDRESS_BITS = 6
) (
  input  logic                    clock,
  input  logic                    reset,
  input  logic                    row_valid,
  input  logic                    row_spike,
  input  logic [ADDRESS_BITS-1:0] row_address,
  input  logic                    access,       // of the host, not of a tick
  input  logic                    load,         // it writes
  input  logic [15:0]             enable_word,
  input  logic [16:0]             enable_rate,
  output logic                    add,          // at stage 1
  output logic                    write,        // at stage 4
  output logic [ADDRESS_BITS-1:0] write_address,
  output logic                    busy          // until stage 4
);

  logic [4:1] valid;
  logic [3:1] spike;
  logic [3*ADDRESS_BITS-1:0] address;
  logic [15:0] index, mask;
  logic enabled;
  assign add = valid[1] && spike[1];
  assign busy = row_valid || valid != '0;

  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[3:1], row_valid};
    spike <= {spike[2:1], row_spike};
    {write_address, address} <= {address, row_address};
    index <= 16'(row_address) * 16'(BANKS) + 16'(BANK + 1);
    // 2^16 times the golden ratio, its fraction: multiples are spread evenly.
    mask <= index * 16'h9E37;
    enabled <= {1'b0, mask ^ enable_word} < enable_rate;
    write <= !reset && valid[3] && (access ? load : spike[3] && enabled);
  end

endmodule
