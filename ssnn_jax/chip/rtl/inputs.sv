// Inputs: the rates of a sample, and their spikes. In each tick, input i spikes
// if its random threshold of BITS is below its rate, 0 to 2^BITS.
module inputs #(
  parameter int INPUTS = 64,
  parameter int BITS = 10,
  parameter int KIND = 0,               // random words: see `random_words`
  parameter bit MASKED = 1,
  parameter int GENERATORS = 1,
  parameter logic [32*GENERATORS-1:0] SEEDS = '0,
  parameter logic [255:0] MATRIX = '0
) (
  input  logic                         clock,
  input  logic                         reset,
  input  logic                         start,     // reads the sample
  input  logic                         tick,
  input  logic                         last,
  input  logic [15:0]                  t,
  input  logic [INPUTS*(BITS+1)-1:0]   sample,
  output logic [INPUTS-1:0]            spikes
);

  logic [INPUTS*(BITS+1)-1:0] rates;
  always_ff @(posedge clock)
    if (start) rates <= sample;

  logic [INPUTS*BITS-1:0] thresholds;
  random_words #(
    .WORDS(INPUTS), .GENERATORS(GENERATORS), .BITS(BITS), .MASKED(MASKED),
    .KIND(KIND), .SEEDS(SEEDS), .MATRIX(MATRIX)
  ) random (.clock, .reset, .tick, .last, .t, .words(thresholds));

  always_comb
    for (int i = 0; i < INPUTS; i++)
      spikes[i] = {1'b0, thresholds[BITS * i +: BITS]}
        < rates[(BITS + 1) * i +: BITS + 1];

endmodule
