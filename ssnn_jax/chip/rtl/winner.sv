// Winner of a tick: the class whose potential plus noise is largest.
//
// The noise of each class has a Gumbel distribution, so that class k wins with
// the probability softmax(potential)_k. It is read from a table of 256
// quantiles at a random address. All quantiles are moved up by one constant,
// which leaves the winner as it is and makes the table positive.
//
// `largest` is the class of the largest potential, without noise. Of equal
// classes, the first wins.
module winner #(
  parameter int CLASSES = 10,
  parameter int BITS = 15,              // of a potential
  parameter int NOISE_BITS = 14,
  parameter int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0
) (
  input  logic [CLASSES*BITS-1:0] potentials,
  input  logic [CLASSES*8-1:0]    addresses,
  output logic [CLASS_BITS-1:0]   winner,
  output logic [CLASS_BITS-1:0]   largest
);

  logic [NOISE_BITS-1:0] noise[256];
  initial
    for (int a = 0; a < 256; a++)
      noise[a] = GUMBEL[NOISE_BITS * a +: NOISE_BITS];

  localparam int WIDE = (BITS > NOISE_BITS + 1 ? BITS : NOISE_BITS + 1) + 1;

  logic signed [WIDE-1:0] score, best;
  logic signed [BITS-1:0] potential, best_potential;
  always_comb begin
    winner = '0;
    largest = '0;
    best = '0;
    best_potential = '0;
    for (int k = 0; k < CLASSES; k++) begin
      potential = potentials[BITS * k +: BITS];
      score = potential + $signed({1'b0, noise[addresses[8 * k +: 8]]});
      if (k == 0 || score > best) begin
        best = score;
        winner = k[CLASS_BITS-1:0];
      end
      if (k == 0 || potential > best_potential) begin
        best_potential = potential;
        largest = k[CLASS_BITS-1:0];
      end
    end
  end

endmodule
