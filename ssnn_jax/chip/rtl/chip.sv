module chip #(
  parameter int LAYERS = 2,             // layers of weights, 2 or 3
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int STEPS = 64,             // T, ticks of a presentation
  parameter int FIRST_VOTE = 32,        // first tick with a vote
  parameter int WEIGHT_BITS = 10,
  parameter logic [32*LAYERS-1:0] FRACTIONS = {32'd8, 32'd8},
  parameter int BANKS = 2,              // rows of a layer read in a clock
  parameter int NOISE_BITS = 12,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0,
  // Derived; leave them.
  parameter int CLASSES = SIZES[32*LAYERS +: 32],
  parameter int TICK_BITS = $clog2(STEPS + 1),
  // Registers of the generators after reset: inputs, winner, enable bits of
  // each layer. Matrix of the Sobol sequence of the inputs.
  parameter int GENERATORS = 1 + (CLASSES + 3) / 4 + LAYERS,
  parameter logic [32*GENERATORS-1:0] SEEDS = '1,
  parameter logic [255:0] MATRIX = '0
) (
  input  logic                         clock,
  input  logic                         reset,
  // Samples: a byte for each pixel, then the label; 255 does not learn.
  input  logic                         sample_valid,
  output logic                         sample_ready,
  input  logic [7:0]                   sample_data,
  // Answer: ticks won by each class, with noise and without.
  output logic                         result_valid,
  input  logic                         result_ready,
  output logic [CLASSES*TICK_BITS-1:0] votes,
  output logic [CLASSES*TICK_BITS-1:0] largest_votes,
  input  logic [17*LAYERS-1:0]         enable_rates,  // of 2^16
  // Rows of weights, between samples: a request, then the weights of the row.
  input  logic                         row_valid,
  output logic                         row_ready,
  input  logic                         row_write,
  input  logic [1:0]                   row_layer,
  input  logic [15:0]                  row_index,
  input  logic                         weight_in_valid,
  output logic                         weight_in_ready,
  input  logic [WEIGHT_BITS-1:0]       weight_in_data,
  output logic                         weight_out_valid,
  input  logic                         weight_out_ready,
  output logic [WEIGHT_BITS-1:0]       weight_out_data,
  output logic                         busy
);
endmodule
