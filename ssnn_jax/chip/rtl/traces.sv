// Traces of the channels of a signal, whose moments are samples: words of counts
// become words of the rows of a layer.
//
// For each decay 1 - 2^-k, of SHIFTS, a channel has a memory z in units of 2^-BITS,
// z - round(z / 2^k) + x 2^-k at a rate x, and its row the count round(T z). All
// channels of the first decay come first. A row leaves in each clock, as soon as
// the pages have room for all. Where bit 8 of the label is 0, the signal ends: the
// next one begins at rest.
module traces #(
  parameter int ROWS = 64, TICKS_LOG = 3, DECAYS = 2, BITS = 17,
  parameter logic [8*DECAYS-1:0] SHIFTS = {8'd1, 8'd0},
  // Derived; leave them.
  parameter int COUNT_BITS = TICKS_LOG + 1, CHANNELS = ROWS / DECAYS
) (
  input  logic clock, reset, in_valid,
  output logic in_ready,
  input  logic [15:0] in_data,
  output logic empty,      // no sample is here, or a part of one
  output logic out_valid,
  input  logic out_ready,  // stays until the label
  output logic [15:0] out_data
);

  localparam int LANES = COUNT_BITS <= 4 ? 4 : 2;
  localparam int LANE_BITS = $clog2(LANES);
  localparam int WORDS = (CHANNELS + LANES - 1) / LANES;
  localparam int WORD_BITS = $clog2(WORDS + 1);
  localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int FINE = BITS - TICKS_LOG;      // of a count

  for (genvar d = 0; d < DECAYS; d++) begin : g_decay
    if (ROWS % DECAYS != 0 || 32'(SHIFTS[8 * d +: 8]) > FINE) begin : g_wrong
      $error("expected DECAYS that divide ROWS, and SHIFTS of up to BITS less ",
        "TICKS_LOG");
    end
  end

  typedef enum logic [1:0] {FILL, TRACE, DRAIN} state_t;
  state_t state;
  (* no_rw_check *) logic [15:0] words[2 ** WORD_BITS];
  (* no_rw_check *) logic [BITS:0] memory[2 ** ROW_BITS];
  logic [8:0] label;
  logic [15:0] channel;                        // a word of them while they fill
  logic [ROW_BITS-1:0] row;
  logic [4:0] decay;
  logic issue, is_last, goes_on, ended;
  assign in_ready = state == FILL;
  assign empty = in_ready && channel == '0;
  assign issue = state == TRACE && out_ready;
  assign is_last = channel == 16'(CHANNELS - 1) && decay == 5'(DECAYS - 1);

  // 1 read, 2 its lane, 3 what remains and what is received, 4 z, 5 its count.
  logic [5:1] valid, last;
  logic [4:1][ROW_BITS-1:0] rows;
  logic [2:1][4:0] shifts;
  logic [LANE_BITS-1:0] lane1, lane;
  /* verilator lint_off UNUSEDSIGNAL */        // bits between counts
  logic [15:0] word1;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [BITS:0] z1, z2, kept3, received3, z4, leak;
  logic [COUNT_BITS-1:0] count2, count5;
  logic half;                                  // of the leak
  assign {leak, half} = {z2, 1'b0} >> shifts[2];
  always_ff @(posedge clock) begin
    valid <= reset ? '0 : {valid[4:1], issue};
    last <= {last[4:1], issue && is_last};
    rows <= {rows[3:1], row};
    shifts <= {shifts[1], SHIFTS[8 * decay +: 5]};
    z1 <= memory[row];
    word1 <= words[WORD_BITS'(channel >> LANE_BITS)];
    lane1 <= channel[LANE_BITS-1:0];
    z2 <= goes_on ? z1 : '0;
    count2 <= word1[16 / LANES * lane1 +: COUNT_BITS];
    kept3 <= z2 - leak - (BITS+1)'(half);
    received3 <= ((BITS+1)'(count2) << FINE) >> shifts[2];
    z4 <= kept3 + received3;
    if (valid[4]) memory[rows[4]] <= z4;
    count5 <= COUNT_BITS'((z4 + (BITS+1)'(2 ** FINE / 2)) >> FINE);

    // A word of counts, and after the last one the label.
    if (valid[5]) begin
      out_data[16 / LANES * lane +: COUNT_BITS] <= count5;
      lane <= last[5] ? '0 : lane + 1'b1;
    end
    out_valid <= !reset && ((valid[5] && (last[5] || lane == '1)) || ended);
    ended <= last[5] && valid[5];
    if (ended) out_data <= 16'(label);

    if (in_ready && in_valid) begin
      words[WORD_BITS'(channel)] <= in_data;
      channel <= channel + 1'b1;
      if (channel == 16'(WORDS)) begin
        label <= in_data[8:0];
        {channel, row, decay} <= '0;
        state <= TRACE;
      end
    end
    if (issue) begin
      row <= row + 1'b1;
      channel <= channel + 1'b1;
      if (channel == 16'(CHANNELS - 1)) begin
        channel <= '0;
        decay <= decay + 1'b1;
      end
      if (is_last) state <= DRAIN;
    end
    if (ended) begin
      goes_on <= label[8];
      state <= FILL;
    end
    if (reset) begin
      state <= FILL;
      channel <= '0;
      lane <= '0;
      goes_on <= 1'b0;
      ended <= 1'b0;
    end
  end

endmodule
