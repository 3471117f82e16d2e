// Step of a register of random bits: G. Marsaglia, "Xorshift RNGs" (2003).
module xorshift (
  input  logic [31:0] word,
  output logic [31:0] stepped
);

  logic [31:0] left, right;
  assign left = word ^ (word << 13);
  assign right = left ^ (left >> 17);
  assign stepped = right ^ (right << 5);

endmodule
