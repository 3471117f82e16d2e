// Chip that learns, one sample after another, by spikes in integers alone.
//
// Samples stream in: a byte for each pixel, and a label. Each is presented for
// STEPS ticks, and then its votes wait to be taken. In a tick, every neuron
// spikes or not from its state alone, every weight whose two ends spike moves,
// and every neuron integrates: `ssnn_jax.chip.rules`, bit by bit. docs/chip.md
// has the schedule of a tick. BANKS changes the clocks that a tick takes, and
// no bit.
//
// Sizes and bits are packed in vectors, 32 bits for each layer, the first layer
// lowest. `python -m experiments.rtl write` writes an instance with all
// parameters.
module chip #(
  parameter int LAYERS = 2,             // layers of weights, 2 to 4
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int STEPS = 64,             // T, ticks of a presentation
  parameter int FIRST_VOTE = 32,        // first tick with a vote
  parameter int WEIGHT_BITS = 10,
  parameter logic [32*LAYERS-1:0] FRACTIONS = {32'd8, 32'd8},
  parameter int BANKS = 2,              // rows of a layer read in a clock
  // Columns of a slice, even. 18 fill block RAMs of 18 or 36 bits with weights
  // of an even number of bits.
  parameter int WIDTH = 18,
  parameter int NOISE_BITS = 12,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0,
  // Derived; leave them.
  parameter int CLASSES = SIZES[32*LAYERS +: 32],
  parameter int TICK_BITS = $clog2(STEPS + 1),
  // Registers of the generators after reset: inputs, winner, enable bits of
  // each layer. Matrix of the Sobol sequence of the inputs.
  parameter int GENERATORS = 1 + (CLASSES + 3) / 4 + LAYERS,
  parameter logic [32*GENERATORS-1:0] SEEDS = '1,
  parameter logic [127:0] MATRIX = '0
) (
  input  logic                         clock,
  input  logic                         reset,
  // Samples: a byte for each pixel, then the label; no class: recognize.
  input  logic                         sample_valid,
  output logic                         sample_ready,
  input  logic [7:0]                   sample_data,
  // Answer: ticks won by each class.
  output logic                         result_valid,
  input  logic                         result_ready,
  output logic [CLASSES*TICK_BITS-1:0] votes,
  input  logic [17*LAYERS-1:0]         enable_rates,  // of 2^16
  // Rows of weights, between samples: a request, then the weights of the row.
  input  logic                         row_valid,
  output logic                         row_ready,
  input  logic                         row_write,
  input  logic [1:0]                   row_layer,
  input  logic [15:0]                  row_index,
  input  logic                         weight_in_valid,
  output logic                         weight_in_ready,
  input  logic [WEIGHT_BITS-1:0]       weight_in_data,
  output logic                         weight_out_valid,
  input  logic                         weight_out_ready,
  output logic [WEIGHT_BITS-1:0]       weight_out_data,
  output logic                         busy
);

  localparam int INPUTS = SIZES[31:0];
  localparam int GROUPS = INPUTS / (8 * BANKS) + 1;
  localparam int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1;

  // Schedule: a sample starts when its page is complete, nothing else runs and
  // the last answer was taken. A tick is a scan of the rows of all layers, and
  // a pass through the neurons of each; the next one starts when all are done.

  logic running, start, scan, first, tick_end, finish, complete;
  logic [15:0] t;
  logic [LAYERS-1:0] done;
  logic [7:0] label, page_label;
  logic [17*LAYERS-1:0] rates;
  logic accessing, load, clear, access, access_shift;
  logic [LAYERS-1:0] selected;
  logic [15:0] access_row;
  logic [WEIGHT_BITS-1:0] weight_in;
  assign busy = running || start || accessing;
  assign tick_end = running && !scan && &done;
  assign finish = tick_end && t == 16'(STEPS - 1);

  always_ff @(posedge clock) begin
    start <= complete && !running && !start && !accessing && !row_valid
      && !result_valid;
    scan <= start || (tick_end && !finish);
    if (start) begin
      running <= 1'b1;
      first <= 1'b1;
      t <= '0;
      label <= page_label;
      rates <= enable_rates;
    end else if (tick_end) begin
      running <= !finish;
      first <= 1'b0;
      t <= t + 1'b1;
    end
    result_valid <= finish || (result_valid && !result_ready);
    if (reset) begin
      running <= 1'b0;
      start <= 1'b0;
      scan <= 1'b0;
      result_valid <= 1'b0;
    end
  end

  sample_pages #(
    .INPUTS(INPUTS), .GROUP(8 * BANKS), .GROUP_BITS(GROUP_BITS)
  ) pages (
    .clock, .reset, .sample_valid, .sample_ready, .sample_data, .complete,
    .label(page_label), .done(finish), .group, .pixels);

  row_access #(
    .LAYERS(LAYERS), .SIZES(SIZES), .WEIGHT_BITS(WEIGHT_BITS)
  ) host (
    .clock, .reset, .idle(!running && !start), .row_valid, .row_ready,
    .row_write, .row_layer, .row_index, .weight_in_valid, .weight_in_ready,
    .weight_in_data, .weight_out_valid, .weight_out_ready, .weight_out_data,
    .active(accessing), .load, .clear, .selected, .access, .row(access_row),
    .shift(access_shift), .weight_in, .heads);

  // Layers: rows, their synapses, and the neurons that they feed. Connections
  // with the layer above have the index of the layer below.

  logic [GROUP_BITS-1:0] group;
  logic [64*BANKS-1:0] pixels;
  logic [WEIGHT_BITS*LAYERS-1:0] heads;
  logic [LAYERS-1:0] scanned;
  // The first layer has none below it, and the last none above it.
  /* verilator lint_off UNUSEDSIGNAL */
  logic [LAYERS-1:0] received, current_valid, spike_valid;
  /* verilator lint_on UNUSEDSIGNAL */
  logic late, vote;
  always_ff @(posedge clock) begin        // of the tick after this one
    late <= 32'(t) + 1 >= LAYERS;
    vote <= 32'(t) + 1 >= FIRST_VOTE && 32'(t) + 1 < STEPS;
  end

  for (genvar l = 0; l < LAYERS; l++) begin : g_layer
    localparam bit IS_LAST = l == LAYERS - 1;
    localparam int ROWS = SIZES[32 * l +: 32] + 1;
    localparam int NEURONS = SIZES[32 * (l + 1) +: 32];
    localparam int SLICES = (NEURONS + WIDTH - 1) / WIDTH;
    localparam int ROW_BITS = $clog2((ROWS + BANKS - 1) / BANKS);
    localparam int ADDRESS_BITS =
      l == 0 ? GROUP_BITS + 3 : ROW_BITS > 1 ? ROW_BITS : 1;
    localparam int ERROR_BITS = IS_LAST ? 2 : 3;
    localparam int DRIVE_BITS = WEIGHT_BITS + $clog2(ROWS);
    // Of the error currents to the layer below: at most two columns err if
    // these are the classes.
    localparam int CURRENT_BITS = l == 0 ? 0
      : IS_LAST ? WEIGHT_BITS + 1 : WEIGHT_BITS + 2 + $clog2(NEURONS);
    localparam int CURRENT_PORTS = l == 0 ? 1 : CURRENT_BITS;

    logic [BANKS-1:0] source_valid, source_spike, valid, spike;
    logic [BANKS*ADDRESS_BITS-1:0] source_address, address;
    logic [SLICES*DRIVE_BITS-1:0] drives;
    logic [NEURONS*ERROR_BITS-1:0] errors;
    logic rows_scanned, in_pipe, shift, clear_after;
    /* verilator lint_off UNUSEDSIGNAL */  // as above
    logic [BANKS*CURRENT_PORTS-1:0] currents;
    logic [SLICES-1:0] spikes;
    /* verilator lint_on UNUSEDSIGNAL */
    logic [31:0] enable_register, stepped;

    for (genvar b = 0; b < BANKS; b++) begin : g_bank
      logic is_own;
      assign is_own = selected[l] && access && 32'(access_row) % BANKS == b;
      assign valid[b] = source_valid[b] || is_own;
      assign spike[b] = accessing ? !load : source_spike[b];
      assign address[ADDRESS_BITS * b +: ADDRESS_BITS] = accessing
        ? ADDRESS_BITS'(32'(access_row) / BANKS)
        : source_address[ADDRESS_BITS * b +: ADDRESS_BITS];
    end

    xorshift enable (.word(enable_register), .stepped);
    always_ff @(posedge clock)
      if (reset) enable_register <= SEEDS[32 * (GENERATORS - LAYERS + l) +: 32];
      else if (tick_end) enable_register <= stepped;

    synapses #(
      .ROWS(ROWS), .COLUMNS(NEURONS), .WIDTH(WIDTH), .BANKS(BANKS),
      .ADDRESS_BITS(ADDRESS_BITS), .WEIGHT_BITS(WEIGHT_BITS),
      .ERROR_BITS(ERROR_BITS), .DRIVE_BITS(DRIVE_BITS),
      .CURRENT_BITS(CURRENT_BITS)
    ) synapses (
      .clock, .reset, .row_valid(valid), .row_spike(spike),
      .row_address(address),
      .access(accessing), .load, .weight_in,
      .enable_word(enable_register[31:16]), .enable_rate(rates[17 * l +: 17]),
      .shift(shift || (access_shift && selected[l])),
      .clear(start || clear_after || (clear && selected[l])),
      .errors, .busy(in_pipe), .heads(drives), .received(received[l]),
      .current_valid(current_valid[l]), .currents);
    assign heads[WEIGHT_BITS * l +: WEIGHT_BITS] = drives[WEIGHT_BITS-1:0];
    assign scanned[l] = rows_scanned && !in_pipe;

    if (l == 0) begin : g_rows
      encoder #(
        .INPUTS(INPUTS), .STEPS(STEPS), .BANKS(BANKS), .SEED(SEEDS[31:0]),
        .MATRIX(MATRIX)
      ) encoder (
        .clock, .reset, .start, .scan, .group, .pixels,
        .row_valid(source_valid), .row_address(source_address),
        .scanned(rows_scanned));
      assign source_spike = '1;
    end else begin : g_rows
      row_counter #(
        .INPUTS(ROWS - 1), .WIDTH(WIDTH), .BANKS(BANKS),
        .ADDRESS_BITS(ADDRESS_BITS)
      ) counter (
        .clock, .reset, .start, .spike_valid(spike_valid[l - 1]),
        .spikes_in(g_layer[l - 1].spikes), .bias(t >= 16'(l)), .scan,
        .row_valid(source_valid), .row_spike(source_spike),
        .row_address(source_address), .scanned(rows_scanned));
    end

    if (IS_LAST) begin : g_neurons
      class_pass #(
        .CLASSES(CLASSES), .DRIVE_BITS(DRIVE_BITS), .TICK_BITS(TICK_BITS),
        .NOISE_BITS(NOISE_BITS), .GUMBEL(GUMBEL),
        .SEEDS(SEEDS[32 +: 32 * (GENERATORS - LAYERS - 1)])
      ) classes (
        .clock, .reset, .start, .first, .scan, .scanned(scanned[l]), .shift,
        .done(done[l]), .drive_in(drives[DRIVE_BITS-1:0]), .late, .vote, .label,
        .errors, .votes);
      assign clear_after = 1'b0;
      assign spike_valid[l] = 1'b0;
      assign spikes = '0;
    end else begin : g_neurons
      localparam int ABOVE = SIZES[32 * (l + 2) +: 32];
      localparam bit IS_BELOW_LAST = l == LAYERS - 2;
      localparam int ABOVE_BITS = IS_BELOW_LAST
        ? WEIGHT_BITS + 1 : WEIGHT_BITS + 2 + $clog2(ABOVE);
      hidden_neurons #(
        .NEURONS(NEURONS), .WIDTH(WIDTH), .LAYER(l), .BANKS(BANKS),
        .DRIVE_BITS(DRIVE_BITS),
        .CURRENT_BITS(ABOVE_BITS), .TICK_BITS(TICK_BITS),
        .FRACTION_BITS(FRACTIONS[32 * l +: 32]),
        .WORTH_BITS(FRACTIONS[32 * (l + 1) +: 32] - (IS_BELOW_LAST ? 2 : 0))
      ) neurons (
        .clock, .reset, .start, .first, .scan,
        .scanned(scanned[l] && received[l + 1]), .shift, .clear(clear_after),
        .done(done[l]), .drives, .current_valid(current_valid[l + 1]),
        .currents(g_layer[l + 1].currents), .spike_valid(spike_valid[l]),
        .spikes, .errors);
    end
  end

endmodule
