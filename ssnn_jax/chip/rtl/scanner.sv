// Scan of the rows of one bank.
//
// An entry of the queue is a group of 8 rows with the mask of those that leave,
// and their counts. From `scan` on, a row leaves in each clock, until the last
// group of the scan is empty. Groups of the next scan may wait in the queue.
module scanner #(
  parameter int GROUP_BITS = 3, COUNT_BITS = 4,
  parameter int ENTRY_BITS = 9 + GROUP_BITS + 8 * COUNT_BITS
) (
  input  logic clock, reset, push,
  input  logic [ENTRY_BITS-1:0] entry,  // last of the scan, group, mask, counts
  output logic room,                    // for 4 entries on their way
  input  logic scan,
  output logic scanning, row_valid,
  output logic [GROUP_BITS+2:0] row_address,
  output logic [COUNT_BITS-1:0] row_count
);

  logic [ENTRY_BITS-1:0] waiting;
  logic has_waiting, take, last, fits;
  logic [GROUP_BITS-1:0] group;
  logic [7:0] mask, rest;
  logic [8*COUNT_BITS-1:0] counts;
  logic [2:0] lowest;
  logic [4:0] num_waiting;
  queue #(.BITS(ENTRY_BITS)) groups (
    .clock, .reset, .in_valid(push), .in_ready(fits), .in_data(entry),
    .out_valid(has_waiting), .out_ready(take), .out_data(waiting),
    .count(num_waiting));

  assign room = num_waiting < 5'd12;
  assign rest = mask & (mask - 1'b1);     // without the lowest bit
  assign take = scanning && rest == '0 && !last && has_waiting;
  always_comb begin
    lowest = '0;
    for (int k = 7; k >= 0; k--) if (mask[k]) lowest = 3'(k);
  end

  always_ff @(posedge clock) begin
    row_valid <= scanning && mask != '0;
    row_address <= {group, lowest};
    row_count <= counts[COUNT_BITS * lowest +: COUNT_BITS];
    if (take) {last, group, mask, counts} <= waiting;
    else if (scanning) begin
      mask <= rest;
      if (rest == '0) last <= 1'b0;
      if (rest == '0 && last) scanning <= 1'b0;
    end
    if (scan) scanning <= 1'b1;

    if (reset) begin
      row_valid <= 1'b0;
      mask <= '0;
      counts <= '0;                       // of rows of the host
      last <= 1'b0;
      scanning <= 1'b0;
    end
  end
`ifndef SYNTHESIS
  always @(posedge clock)                 // `room` was asked before
    if (!reset) assert (fits || !push);
`endif

endmodule
