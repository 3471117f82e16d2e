// Rows of a layer that leave for its synapses, one in a clock.
//
// `start` asks for the groups of 32 rows of all levels: rows with a count of T
// first, then those with T - 1, down to 1. With `all` it is one scan of all rows
// that have a count, or are listed. Groups wait in a queue, and silent ones are
// left out. A row leaves in each clock; `row_level` follows the last of a level,
// and may come with the first of the next.
module scanner #(
  parameter int GROUPS = 9, TICKS_LOG = 3,
  // Derived; leave them.
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int COUNT_BITS = TICKS_LOG + 1
) (
  input  logic clock, reset, start, all,
  output logic issue,                          // a group is asked for
  output logic [GROUP_BITS-1:0] group,
  input  logic [32*COUNT_BITS-1:0] counts,     // of the group, 2 clocks later
  input  logic [31:0] listed,                  // as well
  output logic scanning, row_valid, row_level,
  output logic [GROUP_BITS+4:0] row_address,
  output logic [COUNT_BITS-1:0] row_count
);

  localparam int ENTRY_BITS = 34 + GROUP_BITS + 32 * COUNT_BITS;
  logic active, is_all, last;
  logic [COUNT_BITS-1:0] level;
  logic [4:0] num_waiting;
  assign issue = active && num_waiting < 5'd11;   // and 4 are on their way
  assign last = group == GROUP_BITS'(GROUPS - 1);

  // Of the group: 2 its counts, 3 its rows that leave.
  logic valid1, last1, valid2, last2, valid3, last3, final3;
  logic [COUNT_BITS-1:0] level1, level2;
  logic [GROUP_BITS-1:0] group1, group2, group3;
  logic [31:0] mask3;
  logic [32*COUNT_BITS-1:0] counts3;
  always_ff @(posedge clock) begin
    if (start) begin
      active <= 1'b1;
      is_all <= all;
      level <= all ? COUNT_BITS'(1) : COUNT_BITS'(2 ** TICKS_LOG);
      group <= '0;
    end else if (issue) begin
      group <= last ? '0 : group + 1'b1;
      if (last) begin
        level <= level - 1'b1;
        if (level == COUNT_BITS'(1)) active <= 1'b0;
      end
    end
    {valid1, last1, group1, level1} <= {issue, last, group, level};
    {valid2, last2, group2, level2} <= {valid1, last1, group1, level1};
    {valid3, last3, group3} <= {valid2, last2, group2};
    final3 <= last2 && level2 == COUNT_BITS'(1);
    counts3 <= counts;
    for (int k = 0; k < 32; k++)
      mask3[k] <= is_all
        ? listed[k] || counts[COUNT_BITS * k +: COUNT_BITS] != '0
        : counts[COUNT_BITS * k +: COUNT_BITS] == level2;
    if (reset) {active, valid1, valid2, valid3} <= '0;
  end

  logic has_waiting, take, fits, own_last, own_final, is_only, ends, ended;
  logic [ENTRY_BITS-1:0] waiting;
  logic [GROUP_BITS-1:0] own_group;
  logic [31:0] mask, rest, next, next_rest;   // rest: without the lowest row
  logic [32*COUNT_BITS-1:0] values;
  // Of the row that leaves: 1 which, and its group.
  logic [31:0] lowest1;
  logic [32*COUNT_BITS-1:0] values1;
  logic [GROUP_BITS-1:0] own_group1;
  logic [COUNT_BITS-1:0] count1;
  logic [4:0] place1;
  logic leaves1, ended1;
  queue #(.BITS(ENTRY_BITS)) groups (
    .clock, .reset, .in_valid(valid3 && (last3 || mask3 != '0)),
    .in_ready(fits), .in_data({mask3, final3, last3, group3, counts3}),
    .out_valid(has_waiting), .out_ready(take), .out_data(waiting),
    .count(num_waiting));

  // `rest` and `is_only` are registers: all bits of the queue wait for `take`.
  assign take = scanning && is_only && has_waiting;
  assign ends = scanning && is_only && own_last;   // a level
  assign next = take ? waiting[ENTRY_BITS-1 -: 32] : rest;
  assign next_rest = next & (next - 1'b1);
  always_comb begin
    place1 = '0;
    count1 = '0;
    for (int k = 0; k < 32; k++)
      if (lowest1[k]) begin
        place1 |= 5'(k);
        count1 |= values1[COUNT_BITS * k +: COUNT_BITS];
      end
  end

  always_ff @(posedge clock) begin
    leaves1 <= scanning && mask != '0;
    lowest1 <= mask & ~rest;
    values1 <= values;
    own_group1 <= own_group;
    row_valid <= leaves1;
    row_address <= {own_group1, place1};
    row_count <= count1;
    {row_level, ended, ended1} <= {ended, ended1, ends};
    mask <= next;
    rest <= next_rest;
    is_only <= next_rest == '0;
    if (take) {own_final, own_last, own_group, values} <= waiting[ENTRY_BITS-33:0];
    else if (is_only) own_last <= 1'b0;
    if (ends && own_final) scanning <= 1'b0;
    if (start) scanning <= 1'b1;
    if (reset) begin
      {leaves1, row_valid, row_level, ended, ended1} <= '0;
      {mask, rest, own_last, scanning} <= '0;
      is_only <= 1'b1;
      row_count <= '0;                    // of rows of the host
    end
  end
`ifndef SYNTHESIS
  always @(posedge clock)                 // `issue` has seen to it
    if (!reset) assert (fits || !valid3);
`endif

endmodule
