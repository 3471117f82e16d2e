// Queue of groups with spikes, of one bank, and scan of their rows.
//
// An entry is a group of 8 rows with the mask of those that spike. From `scan`
// on, a row leaves in each clock, until the last group of the tick is empty.
module scanner #(
  parameter int GROUP_BITS = 3,
  parameter int ENTRY_BITS = GROUP_BITS + 9
) (
  input  logic                  clock,
  input  logic                  reset,
  input  logic                  push,
  input  logic [ENTRY_BITS-1:0] entry,    // last of the tick, group, mask
  output logic                  room,     // for 4 entries on their way
  input  logic                  scan,
  output logic                  scanning,
  output logic                  row_valid,
  output logic [GROUP_BITS+2:0] row_address
);

  logic [ENTRY_BITS-1:0] queue[16];
  logic [3:0] head, tail;
  logic [4:0] count;
  logic [ENTRY_BITS-1:0] waiting;         // ahead of the queue
  logic has_waiting, fetch, take, last;
  logic [GROUP_BITS-1:0] group;
  logic [7:0] mask, rest;
  logic [2:0] lowest;

  assign room = count < 5'd12;
  assign rest = mask & (mask - 1'b1);     // without the lowest bit
  assign take = scanning && rest == '0 && !last && has_waiting;
  assign fetch = count != '0 && (take || !has_waiting);
  always_comb begin
    lowest = '0;
    for (int k = 7; k >= 0; k--) if (mask[k]) lowest = 3'(k);
  end

  always_ff @(posedge clock) begin
    if (push) queue[tail] <= entry;
    if (fetch) waiting <= queue[head];
    tail <= tail + 4'(push);
    head <= head + 4'(fetch);
    count <= count + 5'(push) - 5'(fetch);
    has_waiting <= fetch || (has_waiting && !take);

    row_valid <= scanning && mask != '0;
    row_address <= {group, lowest};
    if (take) {last, group, mask} <= waiting;
    else if (scanning) begin
      mask <= rest;
      if (rest == '0) last <= 1'b0;
      if (rest == '0 && last) scanning <= 1'b0;
    end
    if (scan) scanning <= 1'b1;

    if (reset) begin
      tail <= '0;
      head <= '0;
      count <= '0;
      has_waiting <= 1'b0;
      row_valid <= 1'b0;
      mask <= '0;
      last <= 1'b0;
      scanning <= 1'b0;
    end
  end

endmodule
