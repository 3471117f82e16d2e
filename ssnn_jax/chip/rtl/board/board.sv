// The chip behind a serial line, with a memory of samples: SDRAM.
module board #(
  parameter int DIVIDER = 27,              // clocks of a bit
  parameter int MHZ = 80,                  // of the clock
  parameter int IDLE = 10_000 * MHZ,       // clocks of a line that is silent
  parameter int LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17,                // of a sample
  parameter int WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0
) (
  input  logic clock, reset, receive,
  output logic transmit, busy,
  output logic [2:0] command,  // to the SDRAM
  output logic [1:0] bank,
  output logic [12:0] pins,
  output logic [15:0] dq_out,
  output logic dq_drive,
  input  logic [15:0] dq_in
);

  /* verilator lint_off PINCONNECTEMPTY */
  logic up, in_valid, broken, out_valid, out_ready, chip_reset, again;
  logic [7:0] in_data, out_data, answer, list_answer, list_number;
  logic [RATE_BITS*LAYERS-1:0] rates;
  logic row_valid, row_ready, row_write, weight_in_valid, weight_in_ready;
  logic weight_out_valid, weight_out_ready;
  logic [1:0] row_layer, list_waiting, list_started;
  logic [15:0] row_index, load_data, data, sample_data;
  logic [WEIGHT_BITS-1:0] weight_in_data, weight_out_data;
  logic load_valid, load_ready, list_write, list_start;
  logic [23:0] load_address, read_address, list_entry;
  logic [LIST_LOG:0] list_place, list_size;
  logic read_valid, ready, data_valid, sample_valid, sample_ready;
  logic result_valid;
  logic [7:0] resets;                      // the chip needs 8 clocks
  always_ff @(posedge clock) begin
    resets <= {resets[6:0], reset || chip_reset};
    again <= resets != '0;
  end
  assign load_ready = ready;

  uart_receiver #(.DIVIDER(DIVIDER)) receiver (
    .clock, .reset, .line(receive), .valid(in_valid), .data(in_data), .broken);
  uart_transmitter #(.DIVIDER(DIVIDER)) transmitter (
    .clock, .reset, .valid(out_valid), .ready(out_ready), .data(out_data),
    .line(transmit));
  link #(
    .WEIGHT_BITS(WEIGHT_BITS), .LIST_LOG(LIST_LOG), .IDLE(IDLE),
    .SIGNATURE(SIGNATURE)
  ) link (.reset(reset || !up), .*);
  present #(
    .WORDS(WORDS), .LIST_LOG(LIST_LOG), .LAYERS(LAYERS), .RATE_BITS(RATE_BITS)
  ) present (
    .clock, .reset(again), .write(list_write), .place(list_place),
    .entry(list_entry), .answered(list_answer), .start(list_start),
    .size(list_size), .number(list_number),
    .waiting(list_waiting), .started(list_started), .read_valid,
    .read_ready(ready && !load_valid), .read_address, .data_valid, .data,
    .sample_valid, .sample_ready, .sample_data, .result_valid, .answer, .rates);
  sdram #(.MHZ(MHZ)) memory (
    .clock, .reset, .valid(load_valid || read_valid), .ready,
    .write(load_valid), .address(load_valid ? load_address : read_address),
    .length(load_valid ? 16'd1 : 16'(WORDS)), .up, .data_in(load_data),
    .data_valid, .data_out(data), .command, .bank, .pins, .dq_out, .dq_drive,
    .dq_in);
  chip_top chip (
    .clock, .reset(again), .sample_valid, .sample_ready, .sample_data,
    .event_valid(1'b0), .event_ready(), .event_row('0), .event_negative(1'b0),
    .event_last(1'b0), .result_valid, .result_ready(1'b1), .answer, .rates,
    .row_valid, .row_ready, .row_write, .row_layer, .row_index, .weight_in_valid,
    .weight_in_ready, .weight_in_data, .weight_out_valid, .weight_out_ready,
    .weight_out_data, .busy);

endmodule
