// Generator of one random word of 32 bits for each tick.
//
//   0  xorshift: the register of G. Marsaglia, "Xorshift RNGs" (2003)
//   1  lfsr: a Galois shift register with feedback, 16 steps in a tick
//   2  sobol: point t of a Sobol sequence, in tick t of a presentation, so that
//      the words of 2^k ticks are evenly distributed. Each bit of the point is
//      the parity of a fixed choice of the bits of t. The register, xorshift,
//      flips the bits of the points, and steps after the last tick only.
//
// Otherwise the word is the register itself, which steps at the end of a tick.
module generator #(
  parameter int KIND = 0,
  parameter logic [31:0] SEED = 1,      // register after reset, never 0
  parameter logic [255:0] MATRIX = '0   // sobol: row q of 16 bits chooses bit q
) (
  input  logic        clock,
  input  logic        reset,
  input  logic        tick,
  input  logic        last,             // this is the last tick of a sample
  input  logic [15:0] t,                // the tick of the sample, from 0
  output logic [31:0] word
);

  function automatic logic [31:0] xorshift(input logic [31:0] x);
    logic [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    xorshift = y ^ (y << 5);
  endfunction

  function automatic logic [31:0] lfsr(input logic [31:0] x);
    lfsr = x;
    for (int i = 0; i < 16; i++)
      lfsr = (lfsr >> 1) ^ (32'h80200003 & {32{lfsr[0]}});
  endfunction

  logic [31:0] register;
  always_ff @(posedge clock)
    if (reset) register <= SEED;
    else if (KIND == 2 ? last : tick)
      register <= KIND == 1 ? lfsr(register) : xorshift(register);

  logic [31:0] point;
  always_comb begin
    point = '0;
    if (KIND == 2)
      for (int q = 0; q < 16; q++)
        point[16 + q] = ^(MATRIX[16 * q +: 16] & t);
  end

  assign word = register ^ point;

endmodule
