// Output layer: a membrane for each class, their synapses, and the winner.
//
// The error of a tick is +1 at the class that wins it, and -1 at the label; if
// they are the same, there is none.
module output_layer #(
  parameter bit IS_FIRST = 0,           // there is no layer below
  parameter int INPUTS = 16,
  parameter int CLASSES = 10,
  parameter int WEIGHT_BITS = 10,
  parameter int TICK_BITS = 7,
  parameter int SHIFT_BITS = 3,
  parameter bit MEAN = 0,
  parameter int KIND = 0,               // random words: see `random_words`
  parameter int ENABLES = INPUTS + 1,
  parameter int ENABLE_GENERATORS = 1,
  parameter bit ENABLE_MASKED = 1,
  parameter logic [32*((CLASSES+3)/4)-1:0] WINNER_SEEDS = '0,
  parameter logic [32*ENABLE_GENERATORS-1:0] ENABLE_SEEDS = '0,
  parameter int NOISE_BITS = 14,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0,
  // Derived; leave them.
  parameter int DRIVE_BITS = WEIGHT_BITS + $clog2(INPUTS + 1),
  parameter int BACKWARD_BITS = WEIGHT_BITS + 1,
  parameter int BACKWARD_ROWS = IS_FIRST ? 1 : INPUTS,
  parameter int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1
) (
  input  logic                                   clock,
  input  logic                                   reset,
  input  logic                                   clear,
  input  logic                                   tick,
  input  logic                                   integrate,
  input  logic [SHIFT_BITS-1:0]                  shift,
  input  logic [TICK_BITS-1:0]                   elapsed,
  input  logic                                   learn,
  input  logic [CLASS_BITS-1:0]                  label,
  input  logic [16:0]                            enable_rate,
  input  logic [INPUTS-1:0]                      inputs,      // spikes
  output logic [CLASS_BITS-1:0]                  winning,
  output logic [CLASS_BITS-1:0]                  largest,
  output logic [CLASSES-1:0]                     errors,
  output logic [CLASSES-1:0]                     negative,
  output logic [BACKWARD_ROWS*BACKWARD_BITS-1:0] backward,
  output logic [CLASSES*DRIVE_BITS-1:0]          potentials,
  input  logic                                   weight_shift,
  input  logic [CLASS_BITS-1:0]                  weight_column,
  input  logic [WEIGHT_BITS-1:0]                 weight_in,
  output logic [WEIGHT_BITS-1:0]                 weight_out
);

  logic [ENABLES-1:0] enable_bits;
  enables #(
    .ENABLES(ENABLES), .GENERATORS(ENABLE_GENERATORS), .MASKED(ENABLE_MASKED),
    .KIND(KIND), .SEEDS(ENABLE_SEEDS)
  ) learning (.clock, .reset, .tick, .rate(enable_rate), .bits(enable_bits));

  logic [CLASSES*DRIVE_BITS-1:0] drives;
  synapses #(
    .ROWS(INPUTS + 1), .COLUMNS(CLASSES), .WEIGHT_BITS(WEIGHT_BITS),
    .ENABLES(ENABLES), .BACKWARD_ROWS(IS_FIRST ? 0 : INPUTS), .ONE_HOT(1)
  ) array (
    .clock, .tick, .spikes({1'b1, inputs}), .enables(enable_bits), .errors,
    .negative, .forward(drives), .backward, .shift(weight_shift),
    .shift_column(weight_column), .shift_in(weight_in), .shift_out(weight_out));

  for (genvar k = 0; k < CLASSES; k++) begin : g_class
    membrane #(
      .BITS(DRIVE_BITS), .TICK_BITS(TICK_BITS), .SHIFT_BITS(SHIFT_BITS),
      .MEAN(MEAN)
    ) own (
      .clock, .clear, .integrate, .shift, .elapsed,
      .drive(drives[DRIVE_BITS * k +: DRIVE_BITS]),
      .potential(potentials[DRIVE_BITS * k +: DRIVE_BITS]));
  end

  // Four classes share the four bytes of a word, of a register as enable bits.
  localparam int WORDS = (CLASSES + 3) / 4;
  logic [32*WORDS-1:0] bytes;
  random_words #(
    .WORDS(WORDS), .GENERATORS(WORDS), .BITS(32), .KIND(KIND == 2 ? 0 : KIND),
    .SEEDS(WINNER_SEEDS)
  ) winner_random (
    .clock, .reset, .tick, .last(1'b0), .t(16'd0), .words(bytes));

  winner #(
    .CLASSES(CLASSES), .BITS(DRIVE_BITS), .NOISE_BITS(NOISE_BITS),
    .GUMBEL(GUMBEL)
  ) race (
    .potentials, .addresses(bytes[8*CLASSES-1:0]), .winner(winning), .largest);

  always_comb
    for (int k = 0; k < CLASSES; k++) begin
      errors[k] = learn && (winning == k) != (label == k);
      negative[k] = label == k;
    end

endmodule
