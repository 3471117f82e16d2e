// The chip behind a serial line: see `commands` for the bytes.
//
// A break of the line resets the chip, but not its weights.

module board #(
  parameter int DIVIDER = 24,  // clocks of a bit of the serial line
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int STEPS = 64,
  parameter int WEIGHT_BITS = 12,
  parameter logic [31:0] SIGNATURE = '0
) (
  input  logic clock,
  input  logic reset,
  input  logic receive,
  output logic transmit,
  output logic busy
);

  localparam int VOTE_BITS = SIZES[32*LAYERS +: 32] * $clog2(STEPS + 1);

  logic broken, clear;
  logic byte_valid, in_valid, in_ready, out_valid, out_ready;
  logic [7:0] byte_data, in_data, out_data;
  logic sample_valid, sample_ready, result_valid, result_ready;
  logic [7:0] sample_data;
  logic [VOTE_BITS-1:0] votes;
  logic [17*LAYERS-1:0] enable_rates;
  logic row_valid, row_ready, row_write;
  logic [1:0] row_layer;
  logic [15:0] row_index;
  logic weight_in_valid, weight_in_ready, weight_out_valid, weight_out_ready;
  logic [WEIGHT_BITS-1:0] weight_in_data, weight_out_data;

  always_ff @(posedge clock) clear <= reset || broken;

  uart_receiver #(.DIVIDER(DIVIDER)) receiver (
    .clock, .reset, .line(receive), .valid(byte_valid), .data(byte_data),
    .broken);
  byte_queue queue (
    .clock, .reset(clear), .in_valid(byte_valid), .in_data(byte_data),
    .out_valid(in_valid), .out_ready(in_ready), .out_data(in_data));
  commands #(
    .LAYERS(LAYERS), .SIZES(SIZES), .STEPS(STEPS), .WEIGHT_BITS(WEIGHT_BITS),
    .SIGNATURE(SIGNATURE)
  ) host (.reset(clear), .*);
  uart_transmitter #(.DIVIDER(DIVIDER)) transmitter (
    .clock, .reset(clear), .valid(out_valid), .ready(out_ready),
    .data(out_data), .line(transmit));
  chip_top chip (.reset(clear), .*);

endmodule
