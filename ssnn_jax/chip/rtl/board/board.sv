// The chip behind a serial line, with a memory of samples: SDRAM.
module board #(
  parameter int DIVIDER = 27,              // clocks of a bit
  parameter int MHZ = 80,                  // of the clock
  parameter int IDLE = 10_000 * MHZ,       // clocks of a line that is silent
  parameter int LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17,                // of a sample
  parameter int WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0,
  parameter int TEST_LOG = 20,             // words of a test of the memory
  parameter int PHASES = 1, PHASE = 0,     // steps of the clock of the memory
  // The self-test sends the bytes of a file in place of the host.
  parameter int TRANSCRIPT_BYTES = 0,
  parameter TRANSCRIPT = ""
) (
  input  logic clock, reset, receive,
  output logic transmit, busy, up,
  output logic step,           // of the phase of the SDRAM
  output logic passed, failed,  // the self-test
  output logic [2:0] command,  // to the SDRAM
  output logic [1:0] bank,
  output logic [12:0] pins,
  output logic [15:0] dq_out,
  output logic dq_drive,
  input  logic [15:0] dq_in
);

  /* verilator lint_off PINCONNECTEMPTY */
  logic in_valid, broken, out_valid, out_ready, chip_reset, again;
  logic pauses, reads_only, test_start, test_busy, test_valid, test_write;
  logic [15:0] damaged, test_word, wrong, bits;
  logic [31:0] info, tested, right, clocks, refreshes;
  logic [15:0] num_resets, phase;          // since power-up
  initial {num_resets, phase} = 32'(PHASE);
  logic [23:0] place, test_address;
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
    if (step) phase <= phase == 16'(PHASES - 1) ? '0 : phase + 1'b1;
    num_resets <= num_resets + 16'(!again && resets != '0);
    clocks <= again ? '0 : clocks + 1'b1;
    refreshes <= again ? '0 : refreshes + 32'(command == 3'b001);
    case (place[2:0])
      3'd0: info <= SIGNATURE;
      3'd1: info <= clocks;
      3'd2: info <= right;
      3'd3: info <= refreshes;
      3'd4: info <= 32'(damaged);
      3'd5: info <= 32'(num_resets);
      3'd6: info <= PHASES;
      default: info <= 32'(phase);
    endcase
  end
  assign load_ready = ready && !test_busy;
  assign pauses = reset || !up;
  assign tested = {bits, wrong};

  logic line_valid, line_broken, line_out_valid, line_out_ready;
  logic [7:0] line_data, line_out_data;
  uart_receiver #(.DIVIDER(DIVIDER)) receiver (
    .clock, .reset, .line(receive), .valid(line_valid), .data(line_data),
    .broken(line_broken));
  uart_transmitter #(.DIVIDER(DIVIDER)) transmitter (
    .clock, .reset, .valid(line_out_valid), .ready(line_out_ready),
    .data(line_out_data), .line(transmit));
  if (TRANSCRIPT_BYTES != 0) begin : g_test
    assign broken = 1'b0;
    self_test #(
      .BYTES(TRANSCRIPT_BYTES), .FILE(TRANSCRIPT), .PAUSE(IDLE * 25 / 16)
    ) own (
      .clock, .reset(pauses), .passed, .failed, .in_valid, .in_data,
      .out_valid, .out_ready, .out_data, .text_valid(line_out_valid),
      .text_ready(line_out_ready), .text(line_out_data));
  end else begin : g_test
    assign {passed, failed} = '0;
    assign {in_valid, in_data, broken} = {line_valid, line_data, line_broken};
    assign {line_out_valid, line_out_data} = {out_valid, out_data};
    assign out_ready = line_out_ready;
  end
  link #(
    .WEIGHT_BITS(WEIGHT_BITS), .LIST_LOG(LIST_LOG), .IDLE(IDLE)
  ) link (.reset(pauses), .*);
  memory_test #(.BLOCK_LOG(TEST_LOG)) test (
    .clock, .reset(pauses), .start(test_start), .reads_only, .block(place),
    .busy(test_busy), .wrong, .bits, .valid(test_valid), .write(test_write),
    .ready, .address(test_address), .word(test_word), .data_valid, .data);
  present #(
    .WORDS(WORDS), .LIST_LOG(LIST_LOG), .LAYERS(LAYERS), .RATE_BITS(RATE_BITS)
  ) present (
    .clock, .reset(again), .write(list_write), .place(list_place),
    .entry(list_entry), .answered(list_answer), .start(list_start),
    .size(list_size), .number(list_number),
    .waiting(list_waiting), .started(list_started), .right, .read_valid,
    .read_ready(ready && !load_valid), .read_address, .data_valid, .data,
    .sample_valid, .sample_ready, .sample_data, .result_valid, .answer, .rates);
  logic memory_valid, memory_write;        // of a test, of the host, of a list
  logic [23:0] memory_address;
  logic [15:0] memory_length;
  assign {memory_valid, memory_write, memory_address, memory_length} = test_busy
    ? {test_valid, test_write, test_address, test_write ? 16'd1 : 16'd512}
    : {load_valid || read_valid, load_valid,
      load_valid ? {load_address, 16'd1} : {read_address, 16'(WORDS)}};
  sdram #(.MHZ(MHZ)) memory (
    .clock, .reset, .restart(step), .valid(memory_valid), .ready,
    .write(memory_write),
    .address(memory_address), .length(memory_length), .up,
    .data_in(test_busy ? test_word : load_data), .data_valid, .data_out(data),
    .command, .bank, .pins, .dq_out, .dq_drive, .dq_in);
  chip_top chip (
    .clock, .reset(again), .sample_valid, .sample_ready, .sample_data,
    .event_valid(1'b0), .event_ready(), .event_row('0), .event_negative(1'b0),
    .event_last(1'b0), .result_valid, .result_ready(1'b1), .answer, .rates,
    .row_valid, .row_ready, .row_write, .row_layer, .row_index, .weight_in_valid,
    .weight_in_ready, .weight_in_data, .weight_out_valid, .weight_out_ready,
    .weight_out_data, .busy);

endmodule
