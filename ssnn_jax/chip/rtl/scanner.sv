// Rows of a layer that leave for its synapses, up to two in a clock.
//
// `start` asks for the groups of 32 rows of all levels: rows with a count of T
// first, then those with T - 1, down to 1, and with `all` those with 0 that are
// listed. Groups wait in a queue, and silent ones are left out. An even and an
// odd row of a group leave together, but not if `single`; `row_level` follows the
// last of a level, and may come with the first of the next.
module scanner #(
  parameter int GROUPS = 9, TICKS_LOG = 3,
  // Derived; leave them.
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int COUNT_BITS = TICKS_LOG + 1
) (
  input  logic clock, reset, start, all, single,
  output logic issue,                          // a group is asked for
  output logic [GROUP_BITS-1:0] group,
  input  logic [32*COUNT_BITS-1:0] counts,     // of the group, 2 clocks later
  input  logic [31:0] listed,                  // as well
  output logic scanning, row_valid, row_level,
  output logic [GROUP_BITS+4:0] row_address,
  output logic row_both,                       // an even row, and this odd one
  output logic [GROUP_BITS+3:0] odd_address    // its half
);

  localparam int ENTRY_BITS = 34 + GROUP_BITS;
  localparam logic [31:0] EVEN = 32'h55555555;
  logic active, is_all, is_single, last;
  logic [COUNT_BITS-1:0] level;
  logic [4:0] num_waiting;
  assign issue = active && num_waiting < 5'd11;   // and 4 are on their way
  assign last = group == GROUP_BITS'(GROUPS - 1);

  // Of the group: 2 its counts, 3 its rows that leave.
  logic valid1, last1, valid2, last2, valid3, last3, final3;
  logic [COUNT_BITS-1:0] level1, level2, last_level;
  logic [GROUP_BITS-1:0] group1, group2, group3;
  logic [31:0] mask3;
  assign last_level = is_all ? '0 : COUNT_BITS'(1);
  always_ff @(posedge clock) begin
    if (start) begin
      active <= 1'b1;
      is_all <= all;
      is_single <= single;
      level <= COUNT_BITS'(2 ** TICKS_LOG);
      group <= '0;
    end else if (issue) begin
      group <= last ? '0 : group + 1'b1;
      if (last) begin
        level <= level - 1'b1;
        if (level == last_level) active <= 1'b0;
      end
    end
    {valid1, last1, group1, level1} <= {issue, last, group, level};
    {valid2, last2, group2, level2} <= {valid1, last1, group1, level1};
    {valid3, last3, group3} <= {valid2, last2, group2};
    final3 <= last2 && level2 == last_level;
    for (int k = 0; k < 32; k++)
      mask3[k] <= counts[COUNT_BITS * k +: COUNT_BITS] == level2
        && (listed[k] || level2 != '0);
    if (reset) {active, valid1, valid2, valid3} <= '0;
  end

  logic has_waiting, take, fits, own_last, own_final, is_only, ends, ended;
  logic [ENTRY_BITS-1:0] waiting;
  logic [GROUP_BITS-1:0] own_group;
  logic [31:0] mask, rest, next, next_rest;   // rest: without the lowest rows
  logic [31:0] even, odd;
  // Of the row that leaves: 1 which, and its group.
  logic [31:0] lowest1;
  logic [GROUP_BITS-1:0] own_group1;
  logic [3:0] even1, odd1;                    // halves of their places
  logic has_even1, has_odd1, ended1;
  queue #(.BITS(ENTRY_BITS)) groups (
    .clock, .reset, .in_valid(valid3 && (last3 || mask3 != '0)),
    .in_ready(fits), .in_data({mask3, final3, last3, group3}),
    .out_valid(has_waiting), .out_ready(take), .out_data(waiting),
    .count(num_waiting));

  // `rest` and `is_only` are registers: all bits of the queue wait for `take`.
  assign take = scanning && is_only && has_waiting;
  assign ends = scanning && is_only && own_last;   // a level
  assign next = take ? waiting[ENTRY_BITS-1 -: 32] : rest;
  assign even = next & EVEN;
  assign odd = next & ~EVEN;
  assign next_rest = is_single ? next & (next - 1'b1)
    : (even & (even - 1'b1)) | (odd & (odd - 1'b1));
  assign has_even1 = (lowest1 & EVEN) != '0;
  assign has_odd1 = (lowest1 & ~EVEN) != '0;
  always_comb begin
    {even1, odd1} = '0;
    for (int k = 0; k < 16; k++) begin
      if (lowest1[2 * k]) even1 |= 4'(k);
      if (lowest1[2 * k + 1]) odd1 |= 4'(k);
    end
  end

  always_ff @(posedge clock) begin
    lowest1 <= scanning ? mask & ~rest : '0;
    own_group1 <= own_group;
    row_valid <= lowest1 != '0;
    row_address <= {own_group1, has_even1 ? {even1, 1'b0} : {odd1, 1'b1}};
    row_both <= has_even1 && has_odd1;
    odd_address <= {own_group1, odd1};
    {row_level, ended, ended1} <= {ended, ended1, ends};
    mask <= next;
    rest <= next_rest;
    is_only <= next_rest == '0;
    if (take) {own_final, own_last, own_group} <= waiting[ENTRY_BITS-33:0];
    else if (is_only) own_last <= 1'b0;
    if (ends && own_final) scanning <= 1'b0;
    if (start) scanning <= 1'b1;
    if (reset) begin
      {row_valid, row_both, row_level, ended, ended1} <= '0;
      {lowest1, mask, rest, own_last, scanning} <= '0;
      is_only <= 1'b1;
    end
  end
`ifndef SYNTHESIS
  always @(posedge clock)                 // `issue` has seen to it
    if (!reset) assert (fits || !valid3);
`endif

endmodule
