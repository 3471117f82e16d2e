// Votes: the number of ticks that each class has won.
module votes #(
  parameter int CLASSES = 10,
  parameter int BITS = 7,
  parameter int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1
) (
  input  logic                    clock,
  input  logic                    clear,
  input  logic                    vote,
  input  logic [CLASS_BITS-1:0]   winner,
  output logic [CLASSES*BITS-1:0] counts
);

  for (genvar k = 0; k < CLASSES; k++) begin : g_class
    always_ff @(posedge clock)
      if (clear) counts[BITS * k +: BITS] <= '0;
      else if (vote && winner == k)
        counts[BITS * k +: BITS] <= counts[BITS * k +: BITS] + 1'b1;
  end

endmodule
