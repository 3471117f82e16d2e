// Tests a block of the memory: each word gets a number made of its address, and
// is read when all have theirs, or, without writing, when other blocks have them,
// too. A bit that is stuck, of a word or an address, a word at another place, or
// one read too early or late is wrong. Neighbors differ in all bits.
module memory_test #(
  parameter int BLOCK_LOG = 20,            // words of a block
  parameter int BURST = 512                // words that are read at once
) (
  input  logic clock, reset, start,
  input  logic reads_only,
  input  logic [23:0] block,               // its first word
  output logic busy,
  output logic [15:0] wrong,               // words, at most all ones
  output logic [15:0] bits,                // that were wrong in any word
  output logic valid, write,
  input  logic ready,
  output logic [23:0] address,
  output logic [15:0] word,                // to write
  input  logic data_valid,
  input  logic [15:0] data
);

  typedef enum logic [1:0] {IDLE, FILL, READ, CHECK} state_t;
  state_t state;
  logic [BLOCK_LOG:0] asked, checked;
  logic [15:0] differs;
  function automatic [15:0] number_of(input [23:0] at);
    number_of = at[15:0] ^ {at[23:16], ~at[23:16]} ^ {16{at[0]}};
  endfunction
  assign busy = state != IDLE;
  assign write = state == FILL;
  assign valid = state == FILL || state == READ;
  assign address = block + 24'(asked);
  assign differs = data ^ number_of(block + 24'(checked));

  always_ff @(posedge clock) begin
    case (state)
      IDLE: if (start) begin
        {asked, checked, wrong, bits} <= '0;
        state <= reads_only ? READ : FILL;
      end
      FILL: if (ready) begin
        word <= number_of(address);        // kept until the next request
        asked <= asked + 1'b1;
        if (asked == (BLOCK_LOG+1)'(2 ** BLOCK_LOG - 1)) begin
          asked <= '0;
          state <= READ;
        end
      end
      READ: if (ready) begin
        asked <= asked + (BLOCK_LOG+1)'(BURST);
        state <= CHECK;
      end
      default: if (data_valid) begin
        bits <= bits | differs;
        wrong <= wrong + 16'(differs != '0 && wrong != '1);
        checked <= checked + 1'b1;
        if (checked + 1'b1 == asked)
          state <= asked[BLOCK_LOG] ? IDLE : READ;
      end
    endcase
    if (reset) state <= IDLE;
  end

endmodule
