// Presents samples of the memory to the chip, as lists of the host name them.
//
// An entry of a list is the number of a sample, 18 bits; bit 18 keeps the chip
// from learning. One list is filled while the other is presented. Answers
// replace the entries.
module present #(
  parameter int WORDS = 17,                // of a sample, with its label
  parameter int LIST_LOG = 9               // entries of a list
) (
  input  logic clock, reset,
  // Lists, and their answers.
  input  logic write,
  input  logic [LIST_LOG:0]   place,       // list, entry
  input  logic [18:0] entry,
  output logic [7:0]          answered,    // of the place, a clock later
  input  logic                start,       // the next list
  input  logic [LIST_LOG:0] size,
  output logic                free,        // a list can be filled
  output logic [7:0]          number,      // of lists started
  output logic [1:0]          waiting,     // lists that are not finished
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
  output logic result_ready,
  input  logic [7:0] answer
);

  typedef enum logic [2:0] {IDLE, ENTRY, NUMBER, PLACE, READ, STREAM} state_t;
  state_t state;
  (* no_rw_check *) logic [18:0] entries[2 ** (LIST_LOG + 1)];
  (* no_rw_check *) logic [7:0] answers[2 ** (LIST_LOG + 1)];
  logic [LIST_LOG:0] sizes[2];
  logic [18:0] current, number_;
  logic [LIST_LOG:0] sent, finished;       // of lists
  logic list, finish_list, silent;
  logic [1:0] unsent;                      // lists
  logic [15:0] left;
  assign free = !waiting[1];
  assign read_valid = state == READ && sample_ready;
  assign sample_valid = data_valid;
  assign sample_data = data | (silent && left == 16'd1 ? 16'hFF : '0);
  assign result_ready = 1'b1;

  always_ff @(posedge clock) begin
    if (write) entries[place] <= entry;
    current <= entries[{list, sent[LIST_LOG-1:0]}];
    answered <= answers[place];
    if (result_valid)
      answers[{finish_list, finished[LIST_LOG-1:0]}] <= answer;
    number_ <= current;                    // block RAM answers late
    read_address <= 24'(36'(number_[17:0]) * 36'(WORDS));
    silent <= number_[18];

    case (state)
      IDLE: if (unsent != '0) state <= ENTRY;
      ENTRY: state <= NUMBER;
      NUMBER: state <= PLACE;
      PLACE: state <= READ;
      READ: if (read_valid && read_ready) begin
        left <= 16'(WORDS);
        state <= STREAM;
      end
      default: if (data_valid) begin
        left <= left - 1'b1;
        if (left == 16'd1) begin
          sent <= sent + 1'b1;
          state <= ENTRY;
          if (sent + 1'b1 == sizes[list]) begin
            sent <= '0;
            list <= !list;
            state <= IDLE;
          end
        end
      end
    endcase
    unsent <= unsent + 2'(start)
      - 2'(state == STREAM && data_valid && left == 16'd1
        && sent + 1'b1 == sizes[list]);
    waiting <= waiting + 2'(start)
      - 2'(result_valid && finished + 1'b1 == sizes[finish_list]);
    if (result_valid) begin
      finished <= finished + 1'b1;
      if (finished + 1'b1 == sizes[finish_list]) begin
        finished <= '0;
        finish_list <= !finish_list;
      end
    end
    if (start) begin
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
    end
  end

endmodule
