// Spikes of the inputs: rows of layer 0, one of each bank in a clock.
//
// In tick t, input i spikes if its threshold is below its pixel: bits of a
// Sobol point of t, flipped by a byte of a random word. 16 rows share a word,
// turned left by two bits more for each; all ticks of a sample have the same
// words. GROUP pixels are compared in a clock, ahead of the scan and even of
// the tick; groups wait in a queue of each bank, and silent ones are left out.
// The bias follows the last input, and always spikes.
module encoder #(
  parameter int INPUTS = 64,
  parameter int STEPS = 64,
  parameter int BANKS = 2,
  parameter logic [31:0] SEED = 1,
  parameter logic [127:0] MATRIX = '0,  // row q of 16 bits: bit q of the point
  // Derived; leave them.
  parameter int GROUP = 8 * BANKS,
  parameter int GROUPS = INPUTS / GROUP + 1,
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int ADDRESS_BITS = GROUP_BITS + 3
) (
  input  logic                          clock,
  input  logic                          reset,
  input  logic                          start,    // of a sample
  input  logic                          scan,     // of the rows of a tick
  output logic [GROUP_BITS-1:0]         group,    // of the page
  input  logic [8*GROUP-1:0]            pixels,   // of the group, a clock later
  output logic [BANKS-1:0]              row_valid,
  output logic [BANKS*ADDRESS_BITS-1:0] row_address,
  output logic                          scanned
);

  localparam int REST = INPUTS % GROUP;  // place of the bias in the last group

  logic active, issue, last, ends, is_upper;
  logic [15:0] t;
  logic [31:0] register, word, stepped;  // first word of the sample, and now
  logic [BANKS-1:0] room, scanning;
  xorshift next (.word, .stepped);

  assign last = group == GROUP_BITS'(GROUPS - 1);
  assign ends = t == 16'(STEPS - 1);
  assign is_upper = BANKS == 1 && group[0];  // half of the rows of a word
  assign issue = active && &room;

  always_ff @(posedge clock)
    if (reset) begin
      active <= 1'b0;
      register <= SEED;
      word <= SEED;
    end else if (start) begin
      active <= 1'b1;
      group <= '0;
      t <= '0;
    end else if (issue) begin
      group <= last ? '0 : group + 1'b1;
      if (last) begin
        t <= t + 1'b1;
        word <= ends ? stepped : register;
        if (ends) begin
          active <= 1'b0;
          register <= stepped;
        end
      end else if (BANKS == 2 || is_upper) word <= stepped;
    end

  // Pipeline: 1 the page is read, 2 its pixels are stored, 3 they are compared.
  logic [2:0] valid;
  logic [2:0] is_last;
  logic [3*GROUP_BITS-1:0] groups;
  logic [7:0] point, point1;
  logic [31:0] word1;
  logic [8*GROUP-1:0] thresholds2, pixels2;
  logic [GROUP-1:0] spikes;
  always_comb
    for (int q = 0; q < 8; q++) point[q] = ^(MATRIX[16 * q +: 16] & t);

  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[1:0], issue};
    is_last <= {is_last[1:0], last};
    groups <= {groups[2*GROUP_BITS-1:0], group};
    point1 <= point;
    word1 <= is_upper ? {word[15:0], word[31:16]} : word;
    for (int k = 0; k < GROUP; k++)
      thresholds2[8*k +: 8] <= 8'({word1, word1} >> (56 - 2 * k)) ^ point1;
    pixels2 <= pixels;
    // 255 spikes in every tick, 0 in none: below p + p / 128.
    for (int k = 0; k < GROUP; k++)
      spikes[k] <= is_last[1] && k >= REST ? k == REST
        : {thresholds2[8*k +: 8], 1'b0} < {pixels2[8*k +: 8], pixels2[8*k + 7]};
  end

  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    logic [7:0] mask;
    always_comb
      for (int k = 0; k < 8; k++) mask[k] = spikes[BANKS * k + b];
    scanner #(.GROUP_BITS(GROUP_BITS)) scanner (
      .clock, .reset, .push(valid[2] && (is_last[2] || mask != '0)),
      .entry({is_last[2], groups[2*GROUP_BITS +: GROUP_BITS], mask}),
      .room(room[b]), .scan, .scanning(scanning[b]), .row_valid(row_valid[b]),
      .row_address(row_address[ADDRESS_BITS * b +: ADDRESS_BITS]));
  end
  assign scanned = scanning == '0;

endmodule
