// Counts of hidden neurons, as rows of the layer above: they arrive from one
// neuron of each slice at a time, and turn by a group in a clock. In the open
// mode, `send` makes spikes of either sign of what was not sent before, also by a
// scan.
module hidden_rows #(
  parameter int NEURONS = 16, WIDTH = 3, TICKS_LOG = 3,
  parameter bit HAS_EVENTS = 1,            // the open mode
  // Derived; leave them.
  parameter int GROUPS = NEURONS / 32 + 1,
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
  output logic [32*COUNT_BITS-1:0] counts,
  output logic [31:0] listed
);

  localparam int TURNING = GROUPS * 32;
  localparam int LENGTH = SLICES * WIDTH > TURNING ? SLICES * WIDTH : TURNING;
  logic [LENGTH-1:0][COUNT_BITS-1:0] totals;
  logic [LENGTH-1:0] positives;                // positive drives
  logic [TURNING-1:0][COUNT_BITS-1:0] sent;
  logic [31:0] differs, rises;        // compared in one clock, sent in the next
  logic [31:0][COUNT_BITS-1:0] targets;
  logic [4:0] lowest;
  logic [GROUP_BITS-1:0] sent_group, own_group, group1;
  logic turn, in_last, compared, acts, issue1;
  assign own_group = HAS_EVENTS && sending ? sent_group : group1;
  assign in_last = own_group == GROUP_BITS'(GROUPS - 1);
  assign acts = HAS_EVENTS && sending && compared;
  assign turn = issue1 || (acts && differs == '0);
  always_comb begin
    lowest = '0;
    for (int k = 31; k >= 0; k--) begin
      targets[k] = totals[k];
      if (in_last && k >= NEURONS % 32)
        targets[k] = k == NEURONS % 32 ? COUNT_BITS'(2 ** TICKS_LOG) : '0;
      if (differs[k]) lowest = 5'(k);
    end
  end

  always_ff @(posedge clock) begin
    issue1 <= issue;
    group1 <= group;
    if (take) begin
      for (int s = 0; s < SLICES; s++)
        for (int k = 0; k < WIDTH; k++)
          {positives[WIDTH * s + k], totals[WIDTH * s + k]} <= k == WIDTH - 1
            ? {positive[s], counts_in[COUNT_BITS * s +: COUNT_BITS]}
            : {positives[WIDTH * s + (k + 1) % WIDTH],
              totals[WIDTH * s + (k + 1) % WIDTH]};
    end else if (turn)
      for (int k = 0; k < TURNING; k++) begin
        positives[k] <= positives[(k + 32) % TURNING];
        totals[k] <= totals[(k + 32) % TURNING];
        sent[k] <= HAS_EVENTS && k >= TURNING - 32 ? targets[k % 32]  // scanned
          : sent[(k + 32) % TURNING];
      end
    for (int k = 0; k < 32; k++) begin
      differs[k] <= targets[k] != sent[k];
      rises[k] <= targets[k] > sent[k];
    end
    compared <= sending && !compared;
    spike <= acts && differs != '0;
    spike_row <= 16'(sent_group) * 16'd32 + 16'(lowest);
    spike_negative <= acts && !rises[lowest];
    for (int k = 0; k < 32; k++)
      if (acts && differs[k] && k == 32'(lowest))
        sent[k] <= sent[k] + (rises[k] ? COUNT_BITS'(1) : '1);
    if (send) begin
      sending <= 1'b1;
      sent_group <= '0;
    end else if (turn && sending) begin
      sent_group <= sent_group + 1'b1;
      if (in_last) sending <= 1'b0;
    end
    for (int k = 0; k < 32; k++) begin
      listed[k] <= positives[k] && !(in_last && k >= NEURONS % 32);
      counts[COUNT_BITS * k +: COUNT_BITS] <= targets[k];
    end
    if (restart) sent <= '0;
    if (reset) begin
      sending <= 1'b0;
      spike <= 1'b0;
    end
  end

endmodule
