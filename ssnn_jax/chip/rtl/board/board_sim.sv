// The board with a model of its SDRAM.
module board_sim #(
  parameter int DIVIDER = 4, LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17, WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0
) (
  input  logic clock, reset, receive,
  output logic transmit, busy, broken
);

  logic [2:0] command;
  logic [1:0] bank;
  logic [12:0] pins;
  logic [15:0] dq_out, dq_in;
  logic dq_drive;
  board #(
    .DIVIDER(DIVIDER), .IDLE(2000), .LIST_LOG(LIST_LOG), .LAYERS(LAYERS),
    .WORDS(WORDS), .WEIGHT_BITS(WEIGHT_BITS), .RATE_BITS(RATE_BITS),
    .SIGNATURE(SIGNATURE)
  ) own (.*);
  sdram_model #(.WORDS_LOG(20)) part (
    .clock, .command, .bank, .pins, .dq_in(dq_out), .dq_drive, .dq_out(dq_in),
    .broken);

endmodule
