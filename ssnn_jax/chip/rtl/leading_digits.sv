// Leading signed binary digits of a number, 3 DIGITS clocks later: each is the
// power of two nearest to the rest.
module leading_digits #(
  parameter int BITS = 17, DIGITS = 2
) (
  input  logic clock,
  input  logic signed [BITS-1:0] value,
  output logic signed [BITS-1:0] rounded
);

  // Before each digit; the last rest is lost.
  /* verilator lint_off UNUSEDSIGNAL */
  logic [DIGITS:0][BITS-1:0] rests;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [DIGITS:0][BITS-1:0] sums;
  assign rests[0] = value;
  assign sums[0] = '0;
  assign rounded = sums[DIGITS];
  for (genvar d = 0; d < DIGITS; d++) begin : g_digit
    logic [BITS-1:0] magnitude1, power, rest1, rest2, rest3, power2;
    logic [BITS-1:0] sum1, sum2, sum3;
    logic negative;
    /* verilator lint_off UNUSEDSIGNAL */
    logic [1:0] unused;
    /* verilator lint_on UNUSEDSIGNAL */
    assign negative = rest2[BITS-1];
    assign {rests[d + 1], sums[d + 1]} = {rest3, sum3};
    // From 3/2 of a power of two on, the next one is nearer.
    always_comb begin
      power = '0;
      for (int k = 0; k < BITS; k++)
        if (magnitude1[k])
          power = BITS'(k > 0 && magnitude1[k > 0 ? k - 1 : 0] ? 2 : 1) << k;
    end
    always_ff @(posedge clock) begin
      magnitude1 <= rests[d][BITS-1] ? -rests[d] : rests[d];
      {rest1, sum1} <= {rests[d], sums[d]};
      power2 <= power;
      {rest2, sum2} <= {rest1, sum1};
      // A number is subtracted as its complement and 1, which enters as a carry.
      {rest3, unused[0]} <=
        {rest2, 1'b1} + {power2 ^ {BITS{!negative}}, !negative};
      {sum3, unused[1]} <= {sum2, 1'b1} + {power2 ^ {BITS{negative}}, negative};
    end
  end

endmodule
