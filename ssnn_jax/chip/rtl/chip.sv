// Chip that learns, one sample after another, by spikes that settle.
//
// Weights of all layers are in block RAM. `schedule` has the order of phases,
// `layer` what happens in them.
module chip #(
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int TICKS_LOG = 3, WEIGHT_BITS = 12,
  parameter int WIDTH = 6,                   // columns of a slice
  parameter logic [32*LAYERS-1:0] FRACTIONS = {32'd8, 32'd8},
  parameter int DIGITS = 2,                  // of an error
  parameter int RATE_BITS = 16, CHANGE_BITS = 20, EXP_BITS = 10,
  parameter logic [256*EXP_BITS-1:0] EXPONENTIALS = '0,
  parameter bit HAS_EVENTS = 1,              // the open mode
  parameter int DECAYS = 0, TRACE_BITS = 17, // of traces of the inputs
  parameter logic [8*(DECAYS>0?DECAYS:1)-1:0] SHIFTS = '0,
  parameter logic [31:0] SEED = 1
) (
  input  logic clock, reset,
  // Samples: counts of spikes, and the label; 255 does not learn. Bit 8 of the
  // label: its signal goes on in the next sample.
  input  logic sample_valid,
  output logic sample_ready,
  input  logic [15:0] sample_data,
  // Or spikes of inputs, in any order, and at last the label as row.
  input  logic event_valid,
  output logic event_ready,
  input  logic [15:0] event_row,
  input  logic event_negative, event_last,
  output logic result_valid,
  input  logic result_ready,
  output logic [7:0] answer,
  input  logic [RATE_BITS*LAYERS-1:0] rates,
  // Rows of weights.
  input  logic row_valid,
  output logic row_ready,
  input  logic row_write,
  input  logic [1:0] row_layer,
  input  logic [15:0] row_index,
  input  logic weight_in_valid,
  output logic weight_in_ready,
  input  logic [WEIGHT_BITS-1:0] weight_in_data,
  output logic weight_out_valid,
  input  logic weight_out_ready,
  output logic [WEIGHT_BITS-1:0] weight_out_data,
  output logic busy
);

  if (LAYERS < 2 || LAYERS > 4 || TICKS_LOG < 1 || TICKS_LOG > 7
      || WEIGHT_BITS < 2 || WEIGHT_BITS > 16 || WIDTH < 1 || WIDTH > 18
      || SIZES[31:0] < 1 || SIZES[31:0] > 16383 || SIZES[32*LAYERS +: 32] > 240
      || FRACTIONS[32*(LAYERS-1) +: 32] + TICKS_LOG < 5 || RATE_BITS < 1
      || RATE_BITS > 16 || EXP_BITS < 1 || EXP_BITS > 16 || SEED == 0)
  begin : g_wrong
    $error("expected 2 to 4 LAYERS, TICKS_LOG of 1 to 7, WEIGHT_BITS of 2 to ",
      "16, WIDTH of 1 to 18, up to 16,383 inputs and 240 classes, TICKS_LOG and ",
      "the last of FRACTIONS whose sum is 5 or more, RATE_BITS and EXP_BITS ",
      "of 1 to 16, and a SEED");
  end

  localparam int COUNT_BITS = TICKS_LOG + 1;
  localparam int INPUTS = SIZES[31:0];
  localparam int INPUT_GROUPS = INPUTS / 32 + 1;

  // Errors of classes are counts, those of hidden neurons finer by UNIT_BITS, and
  // at most 2 T times the largest weight.
  localparam int UNIT_BITS = FRACTIONS[32 * (LAYERS - 1) +: 32];
  function automatic integer error_bits(input integer l);
    error_bits = TICKS_LOG + 2 + (l == LAYERS - 1 ? 0 : WEIGHT_BITS);
  endfunction
  function automatic integer current_bits(input integer l);
    current_bits = WEIGHT_BITS + error_bits(l)
      + (l == LAYERS - 1 ? 0 : $clog2(SIZES[32 * (l + 1) +: 32]));
  endfunction
  // Clocks to add what the slices of the largest layer send.
  function automatic integer tree_stages();
    integer l, largest;
    begin
      largest = 1;
      for (l = 1; l <= LAYERS; l = l + 1)
        if (SIZES[32 * l +: 32] > largest) largest = SIZES[32 * l +: 32];
      tree_stages = $clog2(WIDTH) + $clog2((largest + WIDTH - 1) / WIDTH);
    end
  endfunction

  /* verilator lint_off PINCONNECTEMPTY */
  /* verilator lint_off UNUSEDSIGNAL */      // of the first and last layer
  logic complete, unused, start, open, in_valid, in_last, in_negative, in_ready;
  logic word_valid, word_ready, traces_empty;
  logic [15:0] in_row, sample_word;
  logic idle, finish, opened, classify, learning, blank, bias, edit, clear;
  logic accessing, present, level, load, row_clear, drained;
  logic [8:0] page_label;
  logic [7:0] label;
  logic [9:0] slice;
  logic [11:0] count;
  logic [31:0] word;
  logic [4:0] pick;
  logic [15:0] row;
  logic [WEIGHT_BITS-1:0] weight;
  logic [LAYERS-1:0] begins, levels, passes, sends, scanning, pending;
  logic [LAYERS-1:0] sending, accessed;
  logic [WEIGHT_BITS*LAYERS-1:0] chosen;
  assign busy = !idle || accessing;
  assign start = complete && !accessing && !row_valid && !result_valid;
  assign open = HAS_EVENTS && in_valid && unused && traces_empty
    && !sample_valid && !accessing && !row_valid && !result_valid;

  if (DECAYS > 0) begin : g_traces
    traces #(
      .ROWS(INPUTS), .TICKS_LOG(TICKS_LOG), .DECAYS(DECAYS), .BITS(TRACE_BITS),
      .SHIFTS(SHIFTS)
    ) traces (
      .clock, .reset, .in_valid(sample_valid), .in_ready(sample_ready),
      .in_data(sample_data), .empty(traces_empty), .out_valid(word_valid),
      .out_ready(word_ready), .out_data(sample_word));
  end else begin : g_traces
    assign traces_empty = 1'b1;
    assign word_valid = sample_valid;
    assign sample_ready = word_ready;
    assign sample_word = sample_data;
  end

  queue #(.BITS(18)) events (
    .clock, .reset, .in_valid(event_valid), .in_ready(event_ready),
    .in_data({event_last, event_negative, event_row}), .out_valid(in_valid),
    .out_ready(in_ready), .out_data({in_last, in_negative, in_row}), .count());

  schedule #(
    .LAYERS(LAYERS), .TICKS_LOG(TICKS_LOG), .WIDTH(WIDTH),
    .INPUT_GROUPS(INPUT_GROUPS), .TREE_STAGES(tree_stages()), .DIGITS(DIGITS),
    .SEED(SEED)
  ) schedule (
    .clock, .reset, .start, .sample_label(page_label), .open,
    .event_valid(in_valid), .event_ready(in_ready), .event_last(in_last),
    .event_label(in_row[8:0]), .cleared(row_clear), .idle, .finish, .opened,
    .label, .word, .clear, .drained,
    .begins, .levels, .passes, .sends, .classify, .learning,
    .blank, .bias, .edit, .count, .scanning, .pending, .sending,
    .classified(g_layer[LAYERS-1].classified));
  assign answer = g_layer[LAYERS-1].class_;
  always_ff @(posedge clock)
    result_valid <= !reset && (finish || (result_valid && !result_ready));
`ifndef SYNTHESIS
  always @(posedge clock)
    if (!reset) begin
      assert (idle || !present);            // no row is accessed while it learns
      assert (!in_ready || !in_valid || in_last || in_row < 16'(INPUTS));
    end
`endif

  row_access #(
    .LAYERS(LAYERS), .SIZES(SIZES), .WIDTH(WIDTH), .WEIGHT_BITS(WEIGHT_BITS)
  ) host (
    .clock, .reset, .idle, .row_valid, .row_ready, .row_write, .row_layer,
    .row_index, .weight_in_valid, .weight_in_ready, .weight_in_data,
    .weight_out_valid, .weight_out_ready, .weight_out_data, .active(accessing),
    .layers(accessed), .row, .present, .level, .load, .weight, .pick,
    .slice, .clear(row_clear), .chosen);

  for (genvar l = 0; l < LAYERS; l++) begin : g_layer
    if (SIZES[32 * (l + 1) +: 32] < 1 || SIZES[32 * (l + 1) +: 32] > 1023
        || FRACTIONS[32 * l +: 32] < 3 || FRACTIONS[32 * l +: 32] > 14)
    begin : g_wrong
      $error("expected up to 1,023 neurons, and FRACTIONS of 3 to 14");
    end
    localparam bit IS_LAST = l == LAYERS - 1;
    localparam int ROWS = SIZES[32 * l +: 32];     // without the bias
    localparam int NEURONS = SIZES[32 * (l + 1) +: 32];
    localparam int SLICES = (NEURONS + WIDTH - 1) / WIDTH;
    localparam int GROUPS = ROWS / 32 + 1;
    localparam int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1;
    localparam int CURRENT_BITS = current_bits(l);
    localparam int ABOVE = IS_LAST ? l : l + 1;
    localparam int ABOVE_GROUPS = NEURONS / 32 + 1;
    localparam int ABOVE_ADDRESS =
      ABOVE_GROUPS > 1 ? $clog2(ABOVE_GROUPS) + 5 : 6;
    localparam int ABOVE_CURRENT = current_bits(ABOVE);

    logic issue, spike, spike_negative, take, classified;
    logic [15:0] spike_row;
    logic [GROUP_BITS-1:0] group;
    logic [32*COUNT_BITS-1:0] counts;
    logic [31:0] listed;
    logic [SLICES*COUNT_BITS-1:0] counts_out;
    logic [SLICES-1:0] positive;
    logic [7:0] class_;
    logic current_valid, above_valid;
    logic [GROUP_BITS+4:0] current_address;
    logic [CURRENT_BITS-1:0] current;
    logic [ABOVE_ADDRESS-1:0] above_address;
    logic [ABOVE_CURRENT-1:0] above_current;

    layer #(
      .INPUTS(ROWS), .NEURONS(NEURONS), .IS_FIRST(l == 0), .IS_LAST(IS_LAST),
      .HAS_EVENTS(HAS_EVENTS), .WIDTH(WIDTH), .TICKS_LOG(TICKS_LOG),
      .WEIGHT_BITS(WEIGHT_BITS), .FRACTION_BITS(FRACTIONS[32 * l +: 32]),
      .RATE_BITS(RATE_BITS), .CHANGE_BITS(CHANGE_BITS),
      .ERROR_BITS(error_bits(l)), .UNIT_BITS(IS_LAST ? 0 : UNIT_BITS),
      .DIGITS(DIGITS), .CURRENT_BITS(CURRENT_BITS),
      .ABOVE_SHIFT(ABOVE == LAYERS - 1 ? 0 : FRACTIONS[32 * ABOVE +: 32]),
      .ABOVE_CURRENT(ABOVE_CURRENT), .EXP_BITS(EXP_BITS),
      .EXPONENTIALS(EXPONENTIALS)
    ) own (
      .clock, .reset, .issue, .group, .counts, .listed, .spike, .spike_negative,
      .spike_row, .begins(begins[l]), .levels(levels[l] || level),
      .renew(drained), .passes(passes[l]), .clear(clear || row_clear),
      .classify, .learning, .pass_pick(count[4:0]),
      .scanning(scanning[l]), .pending(pending[l]),
      .rate(rates[RATE_BITS * l +: RATE_BITS]),
      .word(16'(word >> (8 * l))), .accessed(accessing && accessed[l]),
      .access_row(row), .present(present && accessed[l]),
      .load(load && accessed[l]),
      .access_pick(pick), .access_slice(slice), .weight_in(weight),
      .chosen(chosen[WEIGHT_BITS * l +: WEIGHT_BITS]), .take, .counts_out,
      .positive, .above_valid, .above_address,
      .above_current, .current_valid, .current_address,
      .current, .label, .phase(word[31:16]),
      .classified, .answer(class_));

    if (IS_LAST) begin : g_above
      assign {above_valid, above_address, above_current} = '0;
    end else begin : g_above
      assign above_valid = g_layer[l + 1].current_valid;
      assign above_address = g_layer[l + 1].current_address;
      assign above_current = g_layer[l + 1].current;
    end

    if (l == 0) begin : g_rows
      logic [15:0] edit_row;
      logic edit_negative;
      sample_pages #(
        .INPUTS(INPUTS), .TICKS_LOG(TICKS_LOG)
      ) pages (
        .clock, .reset, .sample_valid(word_valid), .sample_ready(word_ready),
        .sample_data(sample_word), .complete, .label(page_label),
        .done(finish && !opened), .open(!idle && opened), .blank, .edit,
        .edit_row(edit_row[GROUP_BITS+4:0]), .edit_negative, .unused,
        .group(blank ? GROUP_BITS'(count) : group), .counts);
      assign listed = '0;
      assign sending[0] = 1'b0;
      always_ff @(posedge clock) begin
        if (in_ready) {edit_negative, edit_row} <= {in_negative, in_row};
        spike <= bias || edit;
        spike_negative <= edit && edit_negative;
        spike_row <= bias ? 16'(INPUTS) : edit_row;
      end
    end else begin : g_rows
      hidden_rows #(
        .NEURONS(ROWS), .WIDTH(WIDTH), .TICKS_LOG(TICKS_LOG),
        .HAS_EVENTS(HAS_EVENTS)
      ) rows (
        .clock, .reset, .restart(blank), .send(sends[l]), .sending(sending[l]),
        .spike, .spike_row, .spike_negative, .take(g_layer[l - 1].take),
        .counts_in(g_layer[l - 1].counts_out),
        .positive(g_layer[l - 1].positive), .issue, .group, .counts, .listed);
    end
  end

endmodule
