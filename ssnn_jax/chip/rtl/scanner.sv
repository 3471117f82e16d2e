// Rows of a layer that leave for its synapses, one in a clock.
//
// `start` asks for the groups of 8 rows of all planes, the highest first. A
// plane is one digit of all counts, 1, 0 or -1, of which no two next to each
// other are other than 0 (G. W. Reitwiesner, "Binary Arithmetic", 1960): -1 is
// a negative row. With `all` it is one scan of all rows that have a count, or
// are listed. Groups wait in a queue, and silent ones are left out. From `scan`
// on, a row leaves in each clock, until the last group of the scan is empty.
module scanner #(
  parameter int GROUPS = 9, COUNT_BITS = 4,
  // Derived; leave them.
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int PLANE_BITS = $clog2(COUNT_BITS + 1)
) (
  input  logic clock, reset, start, all,
  output logic issue,                          // a group is asked for
  output logic [GROUP_BITS-1:0] group,
  input  logic [8*COUNT_BITS-1:0] counts,      // of the group, 2 clocks later
  input  logic [7:0] listed,                   // as well
  input  logic scan,
  output logic scanning, row_valid,
  output logic [GROUP_BITS+2:0] row_address,
  output logic [COUNT_BITS-1:0] row_count,     // of `all`
  output logic row_negative                    // of a plane
);

  localparam int ENTRY_BITS = 9 + GROUP_BITS + 8 * COUNT_BITS;
  logic active, is_all, last;
  logic [PLANE_BITS-1:0] plane;
  logic [4:0] num_waiting;
  assign issue = active && num_waiting < 5'd11;   // and 5 are on their way
  assign last = group == GROUP_BITS'(GROUPS - 1);

  // Of the group: 2 its counts, 3 its rows that leave, and their counts, or 1
  // if they are negative.
  logic valid1, last1, valid2, last2, valid3, last3;
  logic [PLANE_BITS-1:0] plane1, plane2;
  logic [GROUP_BITS-1:0] group1, group2, group3;
  logic [7:0] mask3;
  logic [8*COUNT_BITS-1:0] half2, digits2, values3;
  always_comb
    for (int k = 0; k < 8; k++) begin
      half2[COUNT_BITS * k +: COUNT_BITS] =
        counts[COUNT_BITS * k +: COUNT_BITS] >> 1;
      digits2[COUNT_BITS * k +: COUNT_BITS] = half2[COUNT_BITS * k +: COUNT_BITS]
        ^ (counts[COUNT_BITS * k +: COUNT_BITS]
          + half2[COUNT_BITS * k +: COUNT_BITS]);
    end

  always_ff @(posedge clock) begin
    if (start) begin
      active <= 1'b1;
      is_all <= all;
      plane <= all ? '0 : PLANE_BITS'(COUNT_BITS - 1);
      group <= '0;
    end else if (issue) begin
      group <= last ? '0 : group + 1'b1;
      if (last) begin
        plane <= plane - 1'b1;
        if (plane == '0) active <= 1'b0;
      end
    end
    {valid1, last1, group1, plane1} <= {issue, last, group, plane};
    {valid2, last2, group2, plane2} <= {valid1, last1, group1, plane1};
    {valid3, last3, group3} <= {valid2, last2, group2};
    for (int k = 0; k < 8; k++) begin
      mask3[k] <= is_all
        ? listed[k] || counts[COUNT_BITS * k +: COUNT_BITS] != '0
        : digits2[COUNT_BITS * k + 32'(plane2)];
      values3[COUNT_BITS * k +: COUNT_BITS] <= is_all
        ? counts[COUNT_BITS * k +: COUNT_BITS]
        : COUNT_BITS'(half2[COUNT_BITS * k + 32'(plane2)]);
    end
    if (reset) {active, valid1, valid2, valid3} <= '0;
  end

  logic has_waiting, take, fits, own_last;
  logic [ENTRY_BITS-1:0] waiting;
  logic [GROUP_BITS-1:0] own_group;
  logic [7:0] mask, rest;
  logic [8*COUNT_BITS-1:0] values;
  logic [2:0] lowest;
  queue #(.BITS(ENTRY_BITS)) groups (
    .clock, .reset, .in_valid(valid3 && (last3 || mask3 != '0)),
    .in_ready(fits), .in_data({last3, group3, mask3, values3}),
    .out_valid(has_waiting), .out_ready(take), .out_data(waiting),
    .count(num_waiting));

  assign rest = mask & (mask - 1'b1);     // without the lowest bit
  assign take = scanning && rest == '0 && !own_last && has_waiting;
  always_comb begin
    lowest = '0;
    for (int k = 7; k >= 0; k--) if (mask[k]) lowest = 3'(k);
  end

  always_ff @(posedge clock) begin
    row_valid <= scanning && mask != '0;
    row_address <= {own_group, lowest};
    row_count <= values[COUNT_BITS * lowest +: COUNT_BITS];
    row_negative <= values[COUNT_BITS * lowest];
    if (take) {own_last, own_group, mask, values} <= waiting;
    else if (scanning) begin
      mask <= rest;
      if (rest == '0) own_last <= 1'b0;
      if (rest == '0 && own_last) scanning <= 1'b0;
    end
    if (scan) scanning <= 1'b1;
    if (reset) begin
      {row_valid, mask, own_last, scanning} <= '0;
      values <= '0;                       // of rows of the host
    end
  end
`ifndef SYNTHESIS
  always @(posedge clock)                 // `issue` has seen to it
    if (!reset) assert (fits || !valid3);
`endif

endmodule
