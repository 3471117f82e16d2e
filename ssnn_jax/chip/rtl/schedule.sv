// Schedule of a presentation: STEPS ticks, and what each layer does in them.
//
// Spikes reach layer l in tick l, and the errors of the output start one tick
// after it has a potential. In its tick number n, from 1, a membrane divides by
// n, or shifts by floor(log2 n): each layer has the numbers of the layer before
// it, one tick later.
module schedule #(
  parameter int LAYERS = 2,
  parameter int STEPS = 64,
  parameter int SETTLE = 32,            // ticks before votes
  parameter int MAX_SHIFT = 31,
  // Derived; leave them.
  parameter int TICK_BITS = $clog2(STEPS + 1),
  parameter int SHIFT_BITS = $clog2(TICK_BITS + 1)
) (
  input  logic                         clock,
  input  logic                         reset,
  input  logic                         start,
  input  logic                         tick,
  output logic                         busy,
  output logic                         advance,   // this clock is a tick
  output logic                         last,      // this is the last tick
  output logic [15:0]                  t,         // the tick, from 0
  output logic [LAYERS-1:0]            integrate, // of each layer
  output logic [SHIFT_BITS*LAYERS-1:0] shifts,
  output logic [TICK_BITS*LAYERS-1:0]  elapsed,   // n of each layer
  output logic                         errs,      // of the output layer
  output logic                         vote
);

  logic [LAYERS:0] reached;
  logic [TICK_BITS-1:0] n;
  assign n = elapsed[TICK_BITS-1:0];
  assign advance = busy && tick;
  assign integrate = reached[LAYERS-1:0] & {LAYERS{advance}};
  assign errs = reached[LAYERS];
  assign vote = advance && n > SETTLE;
  assign last = advance && n == STEPS;
  assign t = n - 1'b1;

  always_ff @(posedge clock)
    if (reset) begin
      busy <= 1'b0;
    end else if (start) begin
      busy <= 1'b1;
      reached <= 1;
      elapsed[TICK_BITS-1:0] <= 1;
    end else if (advance) begin
      busy <= !last;
      reached <= {reached[LAYERS-1:0], 1'b1};
      elapsed[TICK_BITS-1:0] <= n + 1'b1;
      for (int l = 1; l < LAYERS; l++) begin
        elapsed[TICK_BITS * l +: TICK_BITS] <=
          elapsed[TICK_BITS * (l - 1) +: TICK_BITS];
      end
    end

  // The highest bit that is set.
  logic [SHIFT_BITS-1:0] first_shift;
  always_comb begin
    first_shift = '0;
    for (int b = 1; b < TICK_BITS; b++)
      if (n[b]) first_shift = b < MAX_SHIFT ? b : MAX_SHIFT;
  end

  assign shifts[SHIFT_BITS-1:0] = first_shift;
  for (genvar l = 1; l < LAYERS; l++) begin : g_layer
    always_ff @(posedge clock)
      if (advance)
        shifts[SHIFT_BITS * l +: SHIFT_BITS] <=
          shifts[SHIFT_BITS * (l - 1) +: SHIFT_BITS];
  end

endmodule
