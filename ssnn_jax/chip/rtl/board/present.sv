// Presents samples of the memory to the chip, as lists of the host name them.
//
// An entry of a list is the number of a sample, 18 bits, and bit 18 keeps the
// chip from learning; or, with bit 22, how many samples follow that of the entry
// before, in the order of the memory; or, with bit 23, a rate and at bit 16 its
// layer, which waits until the samples before have been learned. One list is
// filled while the other is presented. An answer has the place of its entry, of
// several samples that of the last.
module present #(
  parameter int WORDS = 17,                // of a sample, with its label
  parameter int LIST_LOG = 9,              // entries of a list
  parameter int LAYERS = 2, RATE_BITS = 16
) (
  input  logic clock, reset,
  // Lists, and their answers.
  input  logic write,
  input  logic [LIST_LOG:0] place,  // list, entry
  input  logic [23:0] entry,
  output logic [7:0] answered,      // of the place, 2 clocks later
  input  logic start,               // the next list
  input  logic [LIST_LOG:0] size,
  output logic [7:0] number,        // of lists started
  output logic [1:0] waiting,       // lists that are not finished
  output logic [1:0] started,       // lists, 2 or more
  output logic [31:0] right,        // answers that were the label
  // Memory.
  output logic read_valid,
  input  logic read_ready,
  output logic [23:0] read_address,
  input  logic data_valid,
  input  logic [15:0] data,
  // Chip.
  output logic sample_valid,
  input  logic sample_ready,
  output logic [15:0] sample_data,
  input  logic result_valid,
  input  logic [7:0] answer,
  output logic [RATE_BITS*LAYERS-1:0] rates
);

  typedef enum logic [2:0] {IDLE, ENTRY, NUMBER, NAMED, PLACE, READ, STREAM, RATE}
    state_t;
  state_t state;
  (* no_rw_check *) logic [23:0] entries[2 ** (LIST_LOG + 1)];
  (* no_rw_check *) logic [7:0] answers[2 ** (LIST_LOG + 1)];
  logic [LIST_LOG:0] sizes[2];
  logic [23:0] current;
  logic [7:0] own_answer;
  /* verilator lint_off UNUSEDSIGNAL */   // bits between
  logic [23:0] named;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [LIST_LOG:0] sent, finished;       // entries of lists
  logic list, finish_list, sends, sends_last, finishes, finishes_last, sets;
  logic [1:0] unsent, unanswered;          // lists, samples
  logic [17:0] sample, more;               // and samples of its entry from it on
  logic [3:0][8:0] flight;                 // ends of entries, labels; first lowest
  logic [15:0] left;
  logic streams_last;
  assign read_valid = state == READ && sample_ready;
  assign sample_valid = data_valid && state == STREAM;
  assign sample_data = data | (named[18] && left == 16'd1 ? 16'hFF : '0);
  assign sets = state == RATE && unanswered == '0;
  assign streams_last = state == STREAM && data_valid && left == 16'd1;
  assign sends = sets || (streams_last && more == 18'd1);
  assign sends_last = sends && sent + 1'b1 == sizes[list];
  assign finishes = sets || (result_valid && flight[0][8]);
  assign finishes_last = finishes && finished + 1'b1 == sizes[finish_list];

  always_ff @(posedge clock) begin
    if (write) entries[place] <= entry;
    current <= entries[{list, sent[LIST_LOG-1:0]}];
    named <= current;                      // block RAM answers late
    answered <= own_answer;
    read_address <= 24'(36'(sample) * 36'(WORDS));
    own_answer <= answers[place];
    if (finishes) answers[{finish_list, finished[LIST_LOG-1:0]}] <= sets ? '0 : answer;

    case (state)
      IDLE: if (unsent != '0) state <= ENTRY;
      ENTRY: state <= NUMBER;
      NUMBER: state <= NAMED;
      NAMED: begin
        if (!named[23]) begin
          sample <= named[22] ? sample + 1'b1 : named[17:0];
          more <= named[22] ? named[17:0] : 18'd1;
        end
        state <= named[23] ? RATE : PLACE;
      end
      PLACE: state <= READ;
      READ: if (read_valid && read_ready) begin
        left <= 16'(WORDS);
        state <= STREAM;
      end
      STREAM: if (data_valid) begin
        left <= left - 1'b1;
        if (streams_last && more != 18'd1) begin
          sample <= sample + 1'b1;
          more <= more - 1'b1;
          state <= PLACE;
        end
      end
      default: ;
    endcase
    for (int l = 0; l < LAYERS; l++)
      if (sets && named[17:16] == 2'(l))
        rates[RATE_BITS * l +: RATE_BITS] <= named[RATE_BITS-1:0];
    if (sends) begin
      sent <= sends_last ? '0 : sent + 1'b1;
      list <= list ^ sends_last;
      state <= sends_last ? IDLE : ENTRY;
    end
    if (finishes) finished <= finishes_last ? '0 : finished + 1'b1;
    finish_list <= finish_list ^ finishes_last;
    unsent <= unsent + 2'(start) - 2'(sends_last);
    waiting <= waiting + 2'(start) - 2'(finishes_last);
    unanswered <= unanswered + 2'(streams_last) - 2'(result_valid);
    if (result_valid) flight <= flight >> 9;
    for (int k = 0; k < 4; k++)            // an index would be a multiplication
      if (streams_last && 2'(k) == unanswered - 2'(result_valid))
        flight[k] <= {more == 18'd1, data[7:0]};
    right <= right + 32'(result_valid && answer == flight[0][7:0]);
    if (start) begin
      started <= started + 2'(!started[1]);
      sizes[number[0]] <= size;
      number <= number + 1'b1;
    end
    if (reset) begin
      state <= IDLE;
      number <= '0;
      sent <= '0;
      finished <= '0;
      list <= 1'b0;
      finish_list <= 1'b0;
      unsent <= '0;
      waiting <= '0;
      started <= '0;
      unanswered <= '0;
      rates <= '0;
      right <= '0;
    end
  end

endmodule
