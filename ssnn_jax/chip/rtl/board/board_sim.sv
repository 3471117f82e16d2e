// The board with a model of its SDRAM.
module board_sim #(
  parameter int DIVIDER = 4, LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17, WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0,
  parameter int TRANSCRIPT_BYTES = 0,
  parameter TRANSCRIPT = ""
) (
  input  logic clock, reset, receive,
  output logic transmit, broken,
  output logic [7:0] led
);

  logic sdram_clk, sdram_rasn, sdram_casn, sdram_wen;
  logic [1:0] sdram_ba;
  logic [12:0] sdram_a;
  logic [15:0] dq_out;
  wire  [15:0] sdram_d;
  logic drives;
  /* verilator lint_off PINCONNECTEMPTY */
  ulx3s #(
    .MHZ(80), .IDLE(2000), .DIVIDER(DIVIDER), .LIST_LOG(LIST_LOG),
    .LAYERS(LAYERS), .WORDS(WORDS), .WEIGHT_BITS(WEIGHT_BITS), .RATE_BITS(RATE_BITS),
    .SIGNATURE(SIGNATURE), .TEST_LOG(10), .TRANSCRIPT(TRANSCRIPT),
    .TRANSCRIPT_BYTES(TRANSCRIPT_BYTES)
  ) own (
    .clk_25mhz(clock), .ftdi_txd(receive), .ftdi_rxd(transmit), .fire(reset),
    .led, .wifi_gpio0(), .sdram_clk, .sdram_cke(), .sdram_csn(), .sdram_rasn,
    .sdram_casn, .sdram_wen, .sdram_ba, .sdram_a, .sdram_dqm(), .sdram_d);
  sdram_model #(.WORDS_LOG(24)) part (
    .clock(sdram_clk), .command({sdram_rasn, sdram_casn, sdram_wen}),
    .bank(sdram_ba), .pins(sdram_a), .dq_in(sdram_d),
    .dq_drive(!own.released[0]), .dq_out, .drives, .broken);
  assign sdram_d = drives ? dq_out : 'z;

endmodule
