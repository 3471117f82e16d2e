// Generator of one random word of 32 bits for each tick.
//
//   0  xorshift: the register of G. Marsaglia, "Xorshift RNGs" (2003)
//   1  lfsr: a Galois shift register with feedback, 16 steps in a tick
//   2  sobol: point number `count` of a Sobol sequence. It has no register of
//      its own: each bit is the parity of a fixed choice of the bits of the
//      count, and the points of 2^k ticks are evenly distributed.
//
// The word is the register itself, and the register steps at the end of a tick.
module generator #(
  parameter int KIND = 0,
  parameter logic [31:0] SEED = 1,      // register after reset, never 0
  parameter logic [255:0] MATRIX = '0   // sobol: row q of 16 bits chooses bit q
) (
  input  logic        clock,
  input  logic        reset,
  input  logic        tick,             // step at this clock edge
  input  logic [15:0] count,            // ticks since reset, for sobol
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

  if (KIND == 2) begin : g_sobol
    always_comb begin
      word = '0;
      for (int q = 0; q < 16; q++)
        word[16 + q] = ^(MATRIX[16 * q +: 16] & count);
    end
  end else begin : g_register
    always_ff @(posedge clock)
      if (reset) word <= SEED;
      else if (tick) word <= KIND == 1 ? lfsr(word) : xorshift(word);
  end

endmodule
