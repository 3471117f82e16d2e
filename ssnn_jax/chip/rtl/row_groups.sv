// Rows of a layer, in groups, for the scanners of its banks.
//
// `start` asks for the groups of all planes, the highest first: bit p of the
// counts is the mask of plane p. With `all` it is one scan of all rows that
// have a count, or are listed. Groups wait in a queue of each bank, and silent
// ones are left out.
module row_groups #(
  parameter int GROUPS = 5, BANKS = 2, COUNT_BITS = 4,
  // Derived; leave them.
  parameter int GROUP = 8 * BANKS, GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int ADDRESS_BITS = GROUP_BITS + 3,
  parameter int PLANE_BITS = $clog2(COUNT_BITS + 1)
) (
  input  logic clock, reset, start, all,
  output logic issue,                          // a group is asked for
  output logic [GROUP_BITS-1:0] group,
  input  logic [GROUP*COUNT_BITS-1:0] counts,  // of the group, a clock later
  input  logic [GROUP-1:0] listed,             // as well
  input  logic scan,
  output logic scanned,
  output logic [BANKS-1:0] row_valid,
  output logic [BANKS*ADDRESS_BITS-1:0] row_address,
  output logic [BANKS*COUNT_BITS-1:0] row_count
);

  logic active, is_all, last;
  logic [PLANE_BITS-1:0] plane;
  logic [BANKS-1:0] room, scanning;
  assign issue = active && &room;
  assign last = group == GROUP_BITS'(GROUPS - 1);
  assign scanned = scanning == '0 && !scan;

  logic valid1, last1, valid2, last2, all1;
  logic [PLANE_BITS-1:0] plane1;
  logic [GROUP_BITS-1:0] group1, group2;
  logic [GROUP-1:0] mask2;
  logic [GROUP*COUNT_BITS-1:0] counts2;

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
    valid1 <= issue;
    last1 <= last;
    group1 <= group;
    plane1 <= plane;
    all1 <= is_all;
    valid2 <= valid1;
    last2 <= last1;
    group2 <= group1;
    counts2 <= counts;
    for (int k = 0; k < GROUP; k++)
      mask2[k] <= all1
        ? listed[k] || counts[COUNT_BITS * k +: COUNT_BITS] != '0
        : counts[COUNT_BITS * k + 32'(plane1)];
    if (reset) begin
      active <= 1'b0;
      valid1 <= 1'b0;
      valid2 <= 1'b0;
    end
  end

  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    logic [7:0] mask;
    logic [8*COUNT_BITS-1:0] own;
    always_comb
      for (int k = 0; k < 8; k++) begin
        mask[k] = mask2[BANKS * k + b];
        own[COUNT_BITS * k +: COUNT_BITS] =
          counts2[COUNT_BITS * (BANKS * k + b) +: COUNT_BITS];
      end
    scanner #(.GROUP_BITS(GROUP_BITS), .COUNT_BITS(COUNT_BITS)) scanner (
      .clock, .reset, .push(valid2 && (last2 || mask != '0)),
      .entry({last2, group2, mask, own}), .room(room[b]), .scan,
      .scanning(scanning[b]), .row_valid(row_valid[b]),
      .row_address(row_address[ADDRESS_BITS * b +: ADDRESS_BITS]),
      .row_count(row_count[COUNT_BITS * b +: COUNT_BITS]));
  end

endmodule
