// Counts of hidden neurons, as rows of the layer above: they arrive from one
// neuron of each slice at a time, and turn by a group in a clock. In the open
// mode, `send` makes a spike of either sign of each that was not sent.
module hidden_rows #(
  parameter int NEURONS = 16, WIDTH = 9, BANKS = 2, TICKS_LOG = 3,
  parameter bit HAS_EVENTS = 1,            // the open mode
  // Derived; leave them.
  parameter int GROUP = 8 * BANKS,
  parameter int GROUPS = NEURONS / GROUP + 1,
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int COUNT_BITS = TICKS_LOG + 1,
  parameter int SLICES = (NEURONS + WIDTH - 1) / WIDTH
) (
  input  logic clock, reset,
  input  logic restart,  // nothing was sent
  input  logic send,
  output logic sending, spike,
  output logic [15:0] spike_row,
  output logic spike_negative,
  input  logic take,
  input  logic [SLICES*COUNT_BITS-1:0] counts_in,
  input  logic [SLICES-1:0] positive,
  input  logic issue,
  input  logic [GROUP_BITS-1:0] group,
  output logic [GROUP*COUNT_BITS-1:0] counts,
  output logic [GROUP-1:0] listed
);

  localparam int TURNING = GROUPS * GROUP;
  localparam int LENGTH = SLICES * WIDTH > TURNING ? SLICES * WIDTH : TURNING;
  logic [LENGTH-1:0][COUNT_BITS-1:0] totals;
  logic [LENGTH-1:0] positives;                // positive drives
  logic [TURNING-1:0][COUNT_BITS-1:0] sent;
  logic [GROUP-1:0] differs, rises;        // compared in one clock, sent in the next
  logic [GROUP-1:0][COUNT_BITS-1:0] targets;
  logic [$clog2(GROUP)-1:0] lowest;
  logic [GROUP_BITS-1:0] sent_group, own_group;
  logic turn, in_last, compared, acts;
  assign own_group = HAS_EVENTS && sending ? sent_group : group;
  assign in_last = own_group == GROUP_BITS'(GROUPS - 1);
  assign acts = HAS_EVENTS && sending && compared;
  assign turn = issue || (acts && differs == '0);
  always_comb begin
    lowest = '0;
    for (int k = GROUP - 1; k >= 0; k--) begin
      targets[k] = totals[k];
      if (in_last && k >= NEURONS % GROUP)
        targets[k] = k == NEURONS % GROUP ? COUNT_BITS'(2 ** TICKS_LOG) : '0;
      if (differs[k]) lowest = ($clog2(GROUP))'(k);
    end
  end

  always_ff @(posedge clock) begin
    if (take) begin
      for (int s = 0; s < SLICES; s++)
        for (int k = 0; k < WIDTH; k++)
          {positives[WIDTH * s + k], totals[WIDTH * s + k]} <= k == WIDTH - 1
            ? {positive[s], counts_in[COUNT_BITS * s +: COUNT_BITS]}
            : {positives[WIDTH * s + (k + 1) % WIDTH],
              totals[WIDTH * s + (k + 1) % WIDTH]};
    end else if (turn)
      for (int k = 0; k < TURNING; k++) begin
        positives[k] <= positives[(k + GROUP) % TURNING];
        totals[k] <= totals[(k + GROUP) % TURNING];
        sent[k] <= sent[(k + GROUP) % TURNING];
      end
    for (int k = 0; k < GROUP; k++) begin
      differs[k] <= targets[k] != sent[k];
      rises[k] <= targets[k] > sent[k];
    end
    compared <= sending && !compared;
    spike <= acts && differs != '0;
    spike_row <= 16'(sent_group) * 16'(GROUP) + 16'(lowest);
    spike_negative <= acts && !rises[lowest];
    for (int k = 0; k < GROUP; k++)
      if (acts && differs[k] && k == 32'(lowest))
        sent[k] <= sent[k] + (rises[k] ? COUNT_BITS'(1) : '1);
    if (send) begin
      sending <= 1'b1;
      sent_group <= '0;
    end else if (turn && sending) begin
      sent_group <= sent_group + 1'b1;
      if (in_last) sending <= 1'b0;
    end
    for (int k = 0; k < GROUP; k++) begin
      listed[k] <= positives[k] && !(in_last && k >= NEURONS % GROUP);
      counts[COUNT_BITS * k +: COUNT_BITS] <= targets[k];
    end
    if (restart) sent <= '0;
    if (reset) begin
      sending <= 1'b0;
      spike <= 1'b0;
    end
  end

endmodule
