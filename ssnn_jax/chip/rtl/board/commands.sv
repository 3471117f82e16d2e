// Commands of the host, and their answers, byte by byte.
//
//   I                          ->  I, 4 bytes of SIGNATURE
//   E, 3 bytes of each layer   ->  E             rates of enable bits
//   W, layer, row, weights     ->  W             writes a row of weights
//   R, layer, row              ->  R, weights    reads a row
//   S, pixels, label           ->  S, votes
//
// Numbers have their lowest byte first: a row, a weight (with its sign) and a
// number of votes have two bytes, all others one. A label of 255 recognizes
// the sample. Rows are not checked, and other letters have no answer. Commands
// take effect, and are answered, in their order: all but S wait until the
// samples before them are answered.

module commands #(
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int STEPS = 64,
  parameter int WEIGHT_BITS = 12,
  parameter logic [31:0] SIGNATURE = '0,
  // Derived; leave them.
  parameter int CLASSES = SIZES[32*LAYERS +: 32],
  parameter int TICK_BITS = $clog2(STEPS + 1),
  parameter int VOTE_INDEX = CLASSES > 1 ? $clog2(CLASSES) : 1
) (
  input  logic                         clock,
  input  logic                         reset,
  // Bytes of the host.
  input  logic                         in_valid,
  output logic                         in_ready,
  input  logic [7:0]                   in_data,
  output logic                         out_valid,
  input  logic                         out_ready,
  output logic [7:0]                   out_data,
  // Ports of the chip.
  output logic                         sample_valid,
  input  logic                         sample_ready,
  output logic [7:0]                   sample_data,
  input  logic                         result_valid,
  output logic                         result_ready,
  input  logic [CLASSES*TICK_BITS-1:0] votes,
  output logic [17*LAYERS-1:0]         enable_rates,
  output logic                         row_valid,
  input  logic                         row_ready,
  output logic                         row_write,
  output logic [1:0]                   row_layer,
  output logic [15:0]                  row_index,
  output logic                         weight_in_valid,
  input  logic                         weight_in_ready,
  output logic [WEIGHT_BITS-1:0]       weight_in_data,
  input  logic                         weight_out_valid,
  output logic                         weight_out_ready,
  input  logic [WEIGHT_BITS-1:0]       weight_out_data
);

  localparam logic [159:0] ALL_SIZES = 160'(SIZES);

  typedef enum logic [2:0] {
    COMMAND, ARGUMENTS, ROW, WEIGHTS, SAMPLE, ANSWER
  } state_t;

  state_t state;
  logic [7:0] letter, low;        // of the command; low byte of a weight
  logic [15:0] left, sent;        // bytes of the command, and of the answer
  logic is_high;                  // high byte of a weight of the command
  logic [1:0] outstanding;        // samples in the chip: in two pages, a result
  logic [24*LAYERS-1:0] rates;
  logic [3:0][15:0] sizes;        // columns of each layer
  logic [15:0] columns;           // of the layer of a row
  logic in_taken, answered;

  assign is_high = left[0];
  assign in_taken = in_valid && in_ready;
  assign row_valid = state == ROW;
  assign row_write = letter == "W";
  assign sample_valid = state == SAMPLE && in_valid;
  assign sample_data = in_data;
  assign weight_in_valid = state == WEIGHTS && in_valid && is_high;
  assign weight_in_data = WEIGHT_BITS'({in_data, low});

  assign columns = sizes[row_layer];

  for (genvar l = 0; l < 4; l++) begin : g_columns
    assign sizes[l] = ALL_SIZES[32 * (l + 1) +: 16];
  end
  for (genvar l = 0; l < LAYERS; l++) begin : g_rates
    assign enable_rates[17 * l +: 17] = rates[24 * l +: 17];
  end

  always_comb
    case (state)
      COMMAND: in_ready = outstanding == 0 || in_data == "S";
      ARGUMENTS: in_ready = 1'b1;
      WEIGHTS: in_ready = !is_high || weight_in_ready;
      SAMPLE: in_ready = sample_ready;
      default: in_ready = 1'b0;
    endcase

  always_ff @(posedge clock)
    if (reset) begin
      state <= COMMAND;
      outstanding <= '0;
      rates <= '0;
    end else begin
      outstanding <= outstanding
        + 2'(state == SAMPLE && in_taken && left == 1)
        - 2'(result_valid && result_ready);
      if (in_taken) left <= left - 1'b1;
      case (state)
        COMMAND: if (in_taken) begin
          letter <= in_data;
          left <= 3;
          case (in_data)
            "I": state <= ANSWER;
            "W", "R": state <= ARGUMENTS;
            "E": begin
              state <= ARGUMENTS;
              left <= 16'(3 * LAYERS);
            end
            "S": begin
              state <= SAMPLE;
              left <= SIZES[15:0] + 1'b1;
            end
            default: ;
          endcase
        end
        ARGUMENTS: if (in_valid) begin  // not in_taken, a long way for `rates`
          if (letter == "E") rates <= {in_data, rates[24*LAYERS-1:8]};
          else if (left == 3) row_layer <= in_data[1:0];
          else row_index <= {in_data, row_index[15:8]};
          if (left == 1) state <= letter == "E" ? ANSWER : ROW;
        end
        ROW: if (row_ready) begin
          state <= row_write && columns != '0 ? WEIGHTS : ANSWER;
          left <= columns << 1;
        end
        WEIGHTS: if (in_taken) begin
          low <= in_data;
          if (left == 1) state <= ANSWER;
        end
        SAMPLE: if (in_taken && left == 1) state <= COMMAND;
        ANSWER: if (answered) state <= COMMAND;
        default: ;
      endcase
    end

  // Answers. No sample is in the chip while another command is answered.

  logic [7:0] kind;
  logic [15:0] last;              // position of the last byte
  logic [7:0] vote, weight;
  logic [CLASSES-1:0][TICK_BITS-1:0] all_votes;
  logic [7:0] name;               // its byte
  logic [4:0][7:0] names;
  assign all_votes = votes;
  assign vote =
    8'(16'(all_votes[VOTE_INDEX'((sent - 16'd1) >> 1)]) >> (sent[0] ? 0 : 8));
  assign weight = 8'(16'($signed(weight_out_data)) >> (sent[0] ? 0 : 8));
  assign names = {SIGNATURE, kind};
  assign name = names[sent[2:0]];
  assign kind = result_valid ? "S" : letter;
  assign answered = out_valid && out_ready && sent == last;
  assign result_ready = result_valid && answered;
  assign weight_out_ready =
    state == ANSWER && letter == "R" && out_ready && sent != 0 && !sent[0];

  always_comb begin
    last = '0;
    out_valid = result_valid || state == ANSWER;
    out_data = kind;
    case (kind)
      "S": begin
        last = 16'(2 * CLASSES);
        if (sent != 0) out_data = vote;
      end
      "R": begin
        last = columns << 1;
        if (sent != 0) begin
          out_valid = state == ANSWER && weight_out_valid;
          out_data = weight;
        end
      end
      "I": begin
        last = 4;
        out_data = name;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clock)
    if (reset) sent <= '0;
    else if (out_valid && out_ready) sent <= answered ? '0 : sent + 1'b1;

endmodule
