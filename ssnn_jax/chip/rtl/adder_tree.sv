// Sum of COUNT numbers, a power of 2, after $clog2(COUNT) clocks.
module adder_tree #(
  parameter int COUNT = 16, BITS = 16
) (
  /* verilator lint_off UNUSEDSIGNAL */  // one number needs no clock
  input  logic clock,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [COUNT*BITS-1:0] terms,
  output logic [BITS-1:0] sum
);

  if (COUNT == 1) begin : g_one
    assign sum = terms;
  end else begin : g_tree
    logic [COUNT/2*BITS-1:0] half;
    always_ff @(posedge clock)
      for (int n = 0; n < COUNT / 2; n++)
        half[BITS * n +: BITS] <=
          terms[2 * BITS * n +: BITS] + terms[(2 * n + 1) * BITS +: BITS];
    adder_tree #(.COUNT(COUNT / 2), .BITS(BITS)) rest (
      .clock, .terms(half), .sum);
  end

endmodule
