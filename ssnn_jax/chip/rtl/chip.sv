// Chip that learns: layers of synapses that move their own weights.
//
// `start` reads the sample, its label and whether to learn. Then each clock
// with `tick` is one tick of the presentation, STEPS in all, in which every
// neuron spikes at random at the rate that its potential stands for, and every
// synapse whose two wires carry a spike moves its weight. All registers are
// read at the start of a tick and written at its end: a spike, forward or
// backward, passes one layer in a tick. `busy` falls after the last tick, and
// then the class with most votes is the answer. Without `learn` there are no
// error spikes, and no weight moves.
//
// Sizes and bits are packed in vectors, 32 bits for each layer, the first layer
// lowest. `python -m experiments.rtl write` writes an instance with all
// parameters.
module chip #(
  parameter int LAYERS = 2,             // layers of weights
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int HIDDEN = 16,            // neurons of all hidden layers
  parameter int STEPS = 64,             // ticks of a presentation, T
  parameter int SETTLE = 32,            // ticks before votes
  parameter int WEIGHT_BITS = 10,
  parameter logic [32*LAYERS-1:0] FRACTIONS = {32'd10, 32'd10},
  parameter int KIND = 0,               // generators: see `generator`
  parameter bit MASKED = 1,             // neurons invert bits of a shared word
  parameter bit OWN = 0,                // a generator for each neuron
  parameter int ENABLE = 0,             // an enable bit for each 0 row,
                                        // 1 synapse, 2 layer
  parameter bit MEAN = 0,               // exact mean instead of shifts
  parameter int MAX_SHIFT = 31,         // leaky membrane, if below log2(STEPS)
  parameter int NOISE_BITS = 14,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0,
  // Registers of the generators after reset, in this order: inputs, forward
  // spikes of each hidden layer, error spikes of each hidden layer, winner,
  // enable bits of each layer. Matrices of sobol: of inputs, forward spikes and
  // error spikes.
  parameter int GENERATORS = 8,
  parameter logic [32*GENERATORS-1:0] SEEDS = '0,
  parameter logic [256*(2*LAYERS-1)-1:0] MATRICES = '0,
  // Derived; leave them.
  parameter int INPUTS = SIZES[31:0],
  parameter int CLASSES = SIZES[32*LAYERS +: 32],
  parameter int RATE_BITS = FRACTIONS[31:0] + 1,
  parameter int NUM_SPIKES = INPUTS + HIDDEN,
  parameter int NUM_NEURONS = HIDDEN + CLASSES,
  parameter int TICK_BITS = $clog2(STEPS + 1),
  parameter int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1,
  parameter int LAYER_BITS = LAYERS > 1 ? $clog2(LAYERS) : 1
) (
  input  logic                         clock,
  input  logic                         reset,     // of generators and control
  input  logic                         start,
  input  logic                         tick,
  input  logic                         learn,
  input  logic [INPUTS*RATE_BITS-1:0]  sample,    // rates, 0 to 2^F
  input  logic [CLASS_BITS-1:0]        label,
  input  logic [17*LAYERS-1:0]         enable_rates,  // learning rates, of 2^16
  output logic                         busy,
  output logic [CLASSES*TICK_BITS-1:0] votes,         // ticks won by each class
  output logic [CLASSES*TICK_BITS-1:0] largest_votes,  // the same without noise
  // Weights of a column of a layer, shifted in and out: see `synapses`.
  input  logic                         weight_shift,
  input  logic [LAYER_BITS-1:0]        weight_layer,
  input  logic [15:0]                  weight_column,
  input  logic [WEIGHT_BITS-1:0]       weight_in,
  output logic [WEIGHT_BITS-1:0]       weight_out,
  // For verification; may be left open.
  output logic [NUM_SPIKES-1:0]        spikes,    // of inputs and hidden layers
  output logic [NUM_NEURONS-1:0]       errors,    // of hidden and output layers
  output logic [NUM_NEURONS-1:0]       negative,
  output logic [32*NUM_NEURONS-1:0]    potentials,
  output logic [32*NUM_NEURONS-1:0]    currents,  // g, of hidden layers
  output logic [CLASS_BITS-1:0]        winner,
  output logic [CLASS_BITS-1:0]        largest
);

  // Constants of the layers.

  function automatic int size(input int layer);
    size = SIZES[32 * layer +: 32];
  endfunction

  // Neurons of the layers before this one, with the inputs.
  function automatic int total(input int layer);
    total = 0;
    for (int l = 0; l < layer; l++) total = total + SIZES[32 * l +: 32];
  endfunction

  // Position of the first generator of a role: 0 inputs, 1 forward, 2 error,
  // 3 winner, 4 enable.
  function automatic int first(input int role, input int layer);
    int spread;
    spread = 0;
    first = 0;
    for (int l = 1; l < LAYERS; l++) spread = spread + (OWN ? size(l) : 1);
    if (role > 0) first = first + (OWN ? size(0) : 1);
    if (role > 1) first = first + spread;
    if (role > 2) first = first + spread;
    if (role > 3) first = first + (CLASSES + 3) / 4;
    for (int l = 0; l < layer; l++)
      if (role == 1 || role == 2)
        first = first + (OWN ? size(l + 1) : 1);
      else if (role == 4)
        first = first + (OWN && ENABLE != 2 ? size(l) + 1 : 1);
  endfunction

  localparam int SHIFT_BITS = $clog2(TICK_BITS + 1);

  logic advance, last, errs, vote, learns;
  logic [15:0] t;
  logic [LAYERS-1:0] integrate;
  logic [SHIFT_BITS*LAYERS-1:0] shifts;
  logic [TICK_BITS*LAYERS-1:0] elapsed;
  logic [CLASS_BITS-1:0] target;
  schedule #(
    .LAYERS(LAYERS), .STEPS(STEPS), .SETTLE(SETTLE), .MAX_SHIFT(MAX_SHIFT)
  ) control (
    .clock, .reset, .start, .tick, .busy, .advance, .last, .t, .integrate,
    .shifts, .elapsed, .errs, .vote);

  always_ff @(posedge clock)
    if (start) begin
      target <= label;
      learns <= learn;
    end

  inputs #(
    .INPUTS(INPUTS), .BITS(RATE_BITS - 1), .KIND(KIND), .MASKED(MASKED),
    .GENERATORS(OWN ? INPUTS : 1), .SEEDS(SEEDS[0 +: 32 * (OWN ? INPUTS : 1)]),
    .MATRIX(MATRICES[255:0])
  ) pixels (
    .clock, .reset, .start, .tick(advance), .last, .t, .sample,
    .spikes(spikes[INPUTS-1:0]));

  // Layers. Currents between layers have 32 bits, most of which are copies of
  // the sign.

  logic [32*NUM_NEURONS-1:0] arriving;
  logic [WEIGHT_BITS*LAYERS-1:0] weights_out;
  for (genvar l = 0; l < LAYERS; l++) begin : g_layer
    localparam int ROWS = size(l) + 1;
    localparam int NEURONS = size(l + 1);
    localparam int AT = total(l + 1) - INPUTS;   // first neuron of the layer
    localparam int BELOW = l == 0 ? 0 : AT - size(l);
    localparam int COLUMN_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1;
    localparam int ENABLES =
      ENABLE == 2 ? 1 : ENABLE == 1 ? ROWS * NEURONS : ROWS;
    localparam int ENABLE_GENERATORS = OWN && ENABLE != 2 ? ROWS : 1;
    localparam bit ENABLE_MASKED = ENABLE == 1 || (ENABLE == 0 && !OWN);
    localparam int DRIVE_BITS = WEIGHT_BITS + $clog2(ROWS);
    localparam int BACKWARD_ROWS = l == 0 ? 1 : size(l);
    localparam int BACKWARD_BITS =
      WEIGHT_BITS + 1 + (l == LAYERS - 1 ? 0 : $clog2(NEURONS));

    logic [NEURONS*DRIVE_BITS-1:0] v;
    logic [BACKWARD_ROWS*BACKWARD_BITS-1:0] backward;

    if (l < LAYERS - 1) begin : g_hidden
      localparam int SHARED = OWN ? NEURONS : 1;
      localparam int CURRENT_BITS = WEIGHT_BITS + 1
        + (l == LAYERS - 2 ? 0 : $clog2(size(l + 2)));
      logic [NEURONS*CURRENT_BITS-1:0] from_above, g;

      hidden_layer #(
        .IS_FIRST(l == 0), .INPUTS(size(l)), .NEURONS(NEURONS),
        .WEIGHT_BITS(WEIGHT_BITS), .FRACTION_BITS(FRACTIONS[32 * l +: 32]),
        .ERROR_BITS(FRACTIONS[32 * (l + 1) +: 32]), .CURRENT_BITS(CURRENT_BITS),
        .TICK_BITS(TICK_BITS), .SHIFT_BITS(SHIFT_BITS), .MEAN(MEAN),
        .KIND(KIND), .MASKED(MASKED), .SHARED(SHARED), .ENABLES(ENABLES),
        .ENABLE_GENERATORS(ENABLE_GENERATORS), .ENABLE_MASKED(ENABLE_MASKED),
        .FORWARD_SEEDS(SEEDS[32 * first(1, l) +: 32 * SHARED]),
        .ERROR_SEEDS(SEEDS[32 * first(2, l) +: 32 * SHARED]),
        .ENABLE_SEEDS(SEEDS[32 * first(4, l) +: 32 * ENABLE_GENERATORS]),
        .FORWARD_MATRIX(MATRICES[256 * (1 + l) +: 256]),
        .ERROR_MATRIX(MATRICES[256 * (LAYERS + l) +: 256])
      ) own (
        .clock, .reset, .clear(start), .tick(advance), .last, .t,
        .integrate(integrate[l]),
        .shift(shifts[SHIFT_BITS * l +: SHIFT_BITS]),
        .elapsed(elapsed[TICK_BITS * l +: TICK_BITS]),
        .enable_rate(enable_rates[17 * l +: 17]),
        .inputs(spikes[total(l) +: size(l)]), .currents(from_above),
        .spikes(spikes[total(l + 1) +: NEURONS]),
        .errors(errors[AT +: NEURONS]), .negative(negative[AT +: NEURONS]),
        .backward, .potentials(v), .g,
        .weight_shift(weight_shift && weight_layer == l),
        .weight_column(weight_column[COLUMN_BITS-1:0]), .weight_in,
        .weight_out(weights_out[WEIGHT_BITS * l +: WEIGHT_BITS]));

      for (genvar j = 0; j < NEURONS; j++) begin : g_current
        assign from_above[CURRENT_BITS * j +: CURRENT_BITS] =
          arriving[32 * (AT + j) +: CURRENT_BITS];
        assign currents[32 * (AT + j) +: 32] =
          32'($signed(g[CURRENT_BITS * j +: CURRENT_BITS]));
      end

    end else begin : g_output

      output_layer #(
        .IS_FIRST(l == 0), .INPUTS(size(l)), .CLASSES(CLASSES),
        .WEIGHT_BITS(WEIGHT_BITS), .TICK_BITS(TICK_BITS),
        .SHIFT_BITS(SHIFT_BITS), .MEAN(MEAN), .KIND(KIND), .ENABLES(ENABLES),
        .ENABLE_GENERATORS(ENABLE_GENERATORS), .ENABLE_MASKED(ENABLE_MASKED),
        .WINNER_SEEDS(SEEDS[32 * first(3, 0) +: 32 * ((CLASSES + 3) / 4)]),
        .ENABLE_SEEDS(SEEDS[32 * first(4, l) +: 32 * ENABLE_GENERATORS]),
        .NOISE_BITS(NOISE_BITS), .GUMBEL(GUMBEL)
      ) own (
        .clock, .reset, .clear(start), .tick(advance),
        .integrate(integrate[l]),
        .shift(shifts[SHIFT_BITS * l +: SHIFT_BITS]),
        .elapsed(elapsed[TICK_BITS * l +: TICK_BITS]),
        .learn(learns && errs), .label(target),
        .enable_rate(enable_rates[17 * l +: 17]),
        .inputs(spikes[total(l) +: size(l)]), .winning(winner), .largest,
        .errors(errors[AT +: NEURONS]), .negative(negative[AT +: NEURONS]),
        .backward, .potentials(v),
        .weight_shift(weight_shift && weight_layer == l),
        .weight_column(weight_column[COLUMN_BITS-1:0]), .weight_in,
        .weight_out(weights_out[WEIGHT_BITS * l +: WEIGHT_BITS]));

      assign currents[32 * AT +: 32 * CLASSES] = '0;
      assign arriving[32 * AT +: 32 * CLASSES] = '0;

    end

    for (genvar j = 0; j < NEURONS; j++) begin : g_potential
      assign potentials[32 * (AT + j) +: 32] =
        32'($signed(v[DRIVE_BITS * j +: DRIVE_BITS]));
    end
    if (l > 0) begin : g_backward
      for (genvar i = 0; i < size(l); i++) begin : g_row
        assign arriving[32 * (BELOW + i) +: 32] =
          32'($signed(backward[BACKWARD_BITS * i +: BACKWARD_BITS]));
      end
    end
  end

  assign weight_out = weights_out[WEIGHT_BITS * weight_layer +: WEIGHT_BITS];

  votes #(.CLASSES(CLASSES), .BITS(TICK_BITS)) winner_votes (
    .clock, .clear(start), .vote, .winner, .counts(votes));
  votes #(.CLASSES(CLASSES), .BITS(TICK_BITS)) potential_votes (
    .clock, .clear(start), .vote, .winner(largest), .counts(largest_votes));

endmodule
