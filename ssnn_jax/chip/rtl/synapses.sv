// Synapses of one layer: the weights of ROWS inputs to COLUMNS neurons.
//
// A synapse is a signed register of WEIGHT_BITS that reads the two wires which
// cross at it: the spike of its row and the error spike of its column. All
// learning is in `moved`. When both wires carry a spike in the same tick, and
// the enable bit of the synapse is set, its weight moves by one unit.
//
//            errors[0]   errors[1]
//               |           |
//   spikes[0] --w-----------w---   backward[0]: rows are read by the errors
//               |           |
//   spikes[1] --w-----------w---   backward[1]
//               |           |
//           forward[0]  forward[1]: columns are read by the spikes
//
// The last row is the bias, whose spike is always 1.
//
// Weights are loaded and read through a shift register for each column: ROWS
// clocks with `shift` move one weight after another out of row ROWS - 1, and
// new ones, last row first, into row 0. Feeding `shift_out` back reads a column
// without changing it.
module synapses #(
  parameter int ROWS = 65,              // inputs and bias
  parameter int COLUMNS = 16,
  parameter int WEIGHT_BITS = 10,
  parameter int ENABLES = ROWS,         // enable bits: one for all synapses,
                                        // ROWS, or ROWS * COLUMNS
  parameter int BACKWARD_ROWS = 0,      // rows with a backward sum, or 0
  parameter bit ONE_HOT = 0,            // at most one error of each sign
  parameter int FORWARD_BITS = WEIGHT_BITS + $clog2(ROWS),
  parameter int BACKWARD_BITS =
    WEIGHT_BITS + 1 + (ONE_HOT ? 0 : $clog2(COLUMNS)),
  parameter int COLUMN_BITS = COLUMNS > 1 ? $clog2(COLUMNS) : 1,
  parameter int BACKWARD_PORTS = BACKWARD_ROWS > 0 ? BACKWARD_ROWS : 1
) (
  input  logic                                    clock,
  input  logic                                    tick,
  input  logic [ROWS-1:0]                         spikes,
  input  logic [ENABLES-1:0]                      enables,
  input  logic [COLUMNS-1:0]                      errors,    // an error spike,
  input  logic [COLUMNS-1:0]                      negative,  // and its sign
  output logic [COLUMNS*FORWARD_BITS-1:0]         forward,
  output logic [BACKWARD_PORTS*BACKWARD_BITS-1:0] backward,

  input  logic                                    shift,
  input  logic [COLUMN_BITS-1:0]                  shift_column,
  input  logic [WEIGHT_BITS-1:0]                  shift_in,
  output logic [WEIGHT_BITS-1:0]                  shift_out
);

  // Registers, not a memory: all weights are read and written in each tick.
  (* mem2reg *) logic [WEIGHT_BITS-1:0] weights[COLUMNS*ROWS];

  // The weight after a tick. A positive error asks the neuron to fire less: one
  // unit down. -1 is +1 of the complement, so that both share one counter. At
  // the largest and the smallest weight, the sign bit would flip from 0 to 1:
  // the weight stays.
  function automatic logic [WEIGHT_BITS-1:0] moved(
    input logic [WEIGHT_BITS-1:0] weight, input logic coincides, input logic up
  );
    logic [WEIGHT_BITS-1:0] counter, next;
    counter = weight ^ {WEIGHT_BITS{!up}};
    next = counter + 1'b1;
    if (coincides && !(next[WEIGHT_BITS-1] && !counter[WEIGHT_BITS-1]))
      moved = next ^ {WEIGHT_BITS{!up}};
    else
      moved = weight;
  endfunction

  // Index of the enable bit of a synapse.
  function automatic int enable_of(input int row, input int column);
    enable_of = ENABLES == 1 ? 0 : ENABLES == ROWS ? row
      : row * COLUMNS + column;
  endfunction

  always_ff @(posedge clock)
    for (int j = 0; j < COLUMNS; j++)
      if (shift) begin
        if (shift_column == j) begin
          weights[j * ROWS] <= shift_in;
          for (int i = 1; i < ROWS; i++)
            weights[j * ROWS + i] <= weights[j * ROWS + i - 1];
        end
      end else if (tick && errors[j])
        for (int i = 0; i < ROWS; i++)
          weights[j * ROWS + i] <= moved(
            weights[j * ROWS + i], spikes[i] && enables[enable_of(i, j)],
            negative[j]);

  always_comb begin
    shift_out = '0;
    for (int j = 0; j < COLUMNS; j++)
      shift_out = shift_out
        | (weights[j * ROWS + ROWS - 1] & {WEIGHT_BITS{shift_column == j}});
  end

  // Forward: the sum of the weights of the rows that spike.
  logic signed [FORWARD_BITS-1:0] sum;
  always_comb
    for (int j = 0; j < COLUMNS; j++) begin
      sum = '0;
      for (int i = 0; i < ROWS; i++)
        sum = sum + $signed(weights[j * ROWS + i] & {WEIGHT_BITS{spikes[i]}});
      forward[FORWARD_BITS * j +: FORWARD_BITS] = sum;
    end

  // Backward: the sum of the weights of the columns with an error, with its
  // sign. Of the output layer, that is the weight to the winner minus the
  // weight to the target: two selections and one subtraction for each row.
  if (BACKWARD_ROWS == 0) begin : g_first_layer
    assign backward = '0;
  end else if (ONE_HOT) begin : g_one_hot
    logic [WEIGHT_BITS-1:0] winner, target;
    logic signed [BACKWARD_BITS-1:0] difference;
    always_comb
      for (int i = 0; i < BACKWARD_ROWS; i++) begin
        winner = '0;
        target = '0;
        for (int j = 0; j < COLUMNS; j++) begin
          winner = winner | (weights[j * ROWS + i]
            & {WEIGHT_BITS{errors[j] && !negative[j]}});
          target = target | (weights[j * ROWS + i]
            & {WEIGHT_BITS{errors[j] && negative[j]}});
        end
        difference = $signed(winner) - $signed(target);
        backward[BACKWARD_BITS * i +: BACKWARD_BITS] = difference;
      end
  end else begin : g_signed
    // -w is the complement of w plus 1.
    logic signed [BACKWARD_BITS-1:0] total;
    always_comb
      for (int i = 0; i < BACKWARD_ROWS; i++) begin
        total = '0;
        for (int j = 0; j < COLUMNS; j++)
          total = total
            + $signed((weights[j * ROWS + i] ^ {WEIGHT_BITS{negative[j]}})
              & {WEIGHT_BITS{errors[j]}})
            + $signed({1'b0, errors[j] && negative[j]});
        backward[BACKWARD_BITS * i +: BACKWARD_BITS] = total;
      end
  end

endmodule
