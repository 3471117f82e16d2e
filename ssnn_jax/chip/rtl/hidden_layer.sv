// Hidden layer: NEURONS neurons, and the synapses from INPUTS neurons to them.
//
// Spikes travel to the layer above; error currents come from it, and, by the
// same weights, go to the layer below.
module hidden_layer #(
  parameter bit IS_FIRST = 1,           // there is no layer below
  parameter int INPUTS = 64,
  parameter int NEURONS = 16,
  parameter int WEIGHT_BITS = 10,
  parameter int FRACTION_BITS = 10,     // of weights and potentials
  parameter int ERROR_BITS = 10,        // fraction bits of the layer above
  parameter int CURRENT_BITS = 11,      // of currents from the layer above
  parameter int TICK_BITS = 7,
  parameter int SHIFT_BITS = 3,
  parameter bit MEAN = 0,
  parameter int KIND = 0,               // random words: see `random_words`
  parameter bit MASKED = 1,
  parameter int SHARED = 1,             // generators of the neurons of a role
  parameter int ENABLES = INPUTS + 1,
  parameter int ENABLE_GENERATORS = 1,
  parameter bit ENABLE_MASKED = 1,
  parameter logic [32*SHARED-1:0] FORWARD_SEEDS = '0,
  parameter logic [32*SHARED-1:0] ERROR_SEEDS = '0,
  parameter logic [32*ENABLE_GENERATORS-1:0] ENABLE_SEEDS = '0,
  parameter logic [255:0] FORWARD_MATRIX = '0,
  parameter logic [255:0] ERROR_MATRIX = '0,
  // Derived; leave them.
  parameter int DRIVE_BITS = WEIGHT_BITS + $clog2(INPUTS + 1),
  parameter int BACKWARD_BITS = WEIGHT_BITS + 1 + $clog2(NEURONS),
  parameter int BACKWARD_ROWS = IS_FIRST ? 1 : INPUTS,
  parameter int COLUMN_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1
) (
  input  logic                                   clock,
  input  logic                                   reset,
  input  logic                                   clear,
  input  logic                                   tick,
  input  logic                                   last,
  input  logic [15:0]                            t,
  input  logic                                   integrate,
  input  logic [SHIFT_BITS-1:0]                  shift,
  input  logic [TICK_BITS-1:0]                   elapsed,
  input  logic [16:0]                            enable_rate,
  input  logic [INPUTS-1:0]                      inputs,      // spikes
  input  logic [NEURONS*CURRENT_BITS-1:0]        currents,
  output logic [NEURONS-1:0]                     spikes,
  output logic [NEURONS-1:0]                     errors,
  output logic [NEURONS-1:0]                     negative,
  output logic [BACKWARD_ROWS*BACKWARD_BITS-1:0] backward,
  output logic [NEURONS*DRIVE_BITS-1:0]          potentials,
  output logic [NEURONS*CURRENT_BITS-1:0]        g,
  input  logic                                   weight_shift,
  input  logic [COLUMN_BITS-1:0]                 weight_column,
  input  logic [WEIGHT_BITS-1:0]                 weight_in,
  output logic [WEIGHT_BITS-1:0]                 weight_out
);

  logic [ENABLES-1:0] enable_bits;
  enables #(
    .ENABLES(ENABLES), .GENERATORS(ENABLE_GENERATORS), .MASKED(ENABLE_MASKED),
    .KIND(KIND), .SEEDS(ENABLE_SEEDS)
  ) learning (.clock, .reset, .tick, .rate(enable_rate), .bits(enable_bits));

  logic [NEURONS*DRIVE_BITS-1:0] drives;
  synapses #(
    .ROWS(INPUTS + 1), .COLUMNS(NEURONS), .WEIGHT_BITS(WEIGHT_BITS),
    .ENABLES(ENABLES), .BACKWARD_ROWS(IS_FIRST ? 0 : INPUTS), .ONE_HOT(0)
  ) array (
    .clock, .tick, .spikes({1'b1, inputs}), .enables(enable_bits), .errors,
    .negative, .forward(drives), .backward, .shift(weight_shift),
    .shift_column(weight_column), .shift_in(weight_in), .shift_out(weight_out));

  logic [NEURONS*FRACTION_BITS-1:0] thresholds;
  random_words #(
    .WORDS(NEURONS), .GENERATORS(SHARED), .BITS(FRACTION_BITS), .MASKED(MASKED),
    .KIND(KIND), .SEEDS(FORWARD_SEEDS), .MATRIX(FORWARD_MATRIX)
  ) forward_random (.clock, .reset, .tick, .last, .t, .words(thresholds));

  logic [NEURONS*ERROR_BITS-1:0] error_thresholds;
  random_words #(
    .WORDS(NEURONS), .GENERATORS(SHARED), .BITS(ERROR_BITS), .MASKED(MASKED),
    .KIND(KIND), .SEEDS(ERROR_SEEDS), .MATRIX(ERROR_MATRIX)
  ) error_random (.clock, .reset, .tick, .last, .t, .words(error_thresholds));

  for (genvar j = 0; j < NEURONS; j++) begin : g_neuron
    neuron #(
      .FRACTION_BITS(FRACTION_BITS), .ERROR_BITS(ERROR_BITS),
      .DRIVE_BITS(DRIVE_BITS), .CURRENT_BITS(CURRENT_BITS),
      .TICK_BITS(TICK_BITS), .SHIFT_BITS(SHIFT_BITS), .MEAN(MEAN)
    ) own (
      .clock, .clear, .tick, .integrate, .shift, .elapsed,
      .drive(drives[DRIVE_BITS * j +: DRIVE_BITS]),
      .current(currents[CURRENT_BITS * j +: CURRENT_BITS]),
      .threshold(thresholds[FRACTION_BITS * j +: FRACTION_BITS]),
      .error_threshold(error_thresholds[ERROR_BITS * j +: ERROR_BITS]),
      .spike(spikes[j]), .error(errors[j]), .negative(negative[j]),
      .potential(potentials[DRIVE_BITS * j +: DRIVE_BITS]),
      .g(g[CURRENT_BITS * j +: CURRENT_BITS]));
  end

endmodule
