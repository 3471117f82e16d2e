// Random words of one role in one layer: the upper BITS of each of WORDS words.
//
// The words come from GENERATORS generators, each of which serves as many
// neighboring words. With MASKED, word n inverts the bits that are set in
// (n + 1) times the golden ratio, so that words of one generator differ. That
// costs inverters alone, and in each tick the words are evenly distributed.
module random_words #(
  parameter int WORDS = 1,
  parameter int GENERATORS = 1,         // 1, or a divisor of WORDS
  parameter int BITS = 10,
  parameter bit MASKED = 0,
  parameter int KIND = 0,               // of generators
  parameter logic [32*GENERATORS-1:0] SEEDS = '0,
  parameter logic [255:0] MATRIX = '0
) (
  input  logic                  clock,
  input  logic                  reset,
  input  logic                  tick,
  input  logic                  last,
  input  logic [15:0]           t,
  output logic [WORDS*BITS-1:0] words
);

  logic [32*GENERATORS-1:0] registers;

  for (genvar g = 0; g < GENERATORS; g++) begin : g_generator
    generator #(.KIND(KIND), .SEED(SEEDS[32 * g +: 32]), .MATRIX(MATRIX)) own (
      .clock, .reset, .tick, .last, .t, .word(registers[32 * g +: 32]));
  end

  logic [31:0] word;
  always_comb
    for (int n = 0; n < WORDS; n++) begin
      word = registers[32 * (n / (WORDS / GENERATORS)) +: 32];
      if (MASKED) word = word ^ ((n + 1) * 32'h9E3779B9);
      words[BITS * n +: BITS] = word[31 -: BITS];
    end

endmodule
