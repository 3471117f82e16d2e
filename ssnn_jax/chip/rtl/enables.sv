// Enable bits of the synapses of one layer: each is 1 with a probability of
// `rate` / 2^16, the learning rate. They need chance and not evenness: with
// sobol sequences elsewhere, they have registers.
module enables #(
  parameter int ENABLES = 65,           // one for each row, synapse, or for all
  parameter int GENERATORS = 1,         // see `random_words`
  parameter bit MASKED = 1,
  parameter int KIND = 0,
  parameter logic [32*GENERATORS-1:0] SEEDS = '0
) (
  input  logic               clock,
  input  logic               reset,
  input  logic               tick,
  input  logic [16:0]        rate,
  output logic [ENABLES-1:0] bits
);

  logic [16*ENABLES-1:0] words;
  random_words #(
    .WORDS(ENABLES), .GENERATORS(GENERATORS), .BITS(16), .MASKED(MASKED),
    .KIND(KIND == 2 ? 0 : KIND), .SEEDS(SEEDS)
  ) random (.clock, .reset, .tick, .last(1'b0), .t(16'd0), .words);

  always_comb
    for (int n = 0; n < ENABLES; n++)
      bits[n] = {1'b0, words[16 * n +: 16]} < rate;

endmodule
