// Two pages for samples: one is presented while the next streams in.
//
// A sample is the counts of spikes of its inputs, 0 to T, as many in a word as
// fit (4, or 2 of more than 4 bits), and a last word with the label. Groups of
// counts are read in a clock; the bias follows the last input. In the open mode
// single spikes change the page of the sample before.
module sample_pages #(
  parameter int INPUTS = 64, TICKS_LOG = 3,
  // Derived; leave them.
  parameter int GROUPS = INPUTS / 32 + 1,
  parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
  parameter int COUNT_BITS = TICKS_LOG + 1
) (
  input  logic clock, reset, sample_valid,
  output logic sample_ready,
  input  logic [15:0] sample_data,
  output logic complete,  // a page has a sample
  output logic [8:0] label,
  input  logic done,      // it has been presented
  // Open mode.
  input  logic open,
  input  logic blank,                         // the group is 0
  input  logic edit,
  input  logic [GROUP_BITS+4:0] edit_row,
  input  logic edit_negative,
  output logic unused,                        // no sample waits or streams in
  input  logic [GROUP_BITS-1:0] group,
  output logic [32*COUNT_BITS-1:0] counts  // of the group, 2 clocks later
);

  localparam int LANES = COUNT_BITS <= 4 ? 4 : 2;
  localparam int WORDS = (INPUTS + LANES - 1) / LANES;
  localparam int PER_GROUP = 32 / LANES;
  localparam int ROW_BITS = 5;             // of a row in its group
  localparam int WORD_BITS = $clog2(PER_GROUP);

  logic filling, reading, page, take, is_label, flush, is_last;
  logic [1:0] full, edits;
  logic [15:0] position;                  // of a word
  logic [8:0] labels[2];
  logic [32*COUNT_BITS-1:0] assembled, stored, edited;
  logic [GROUP_BITS:0] flush_at;
  logic [GROUP_BITS-1:0] at;
  (* no_rw_check *) logic [32*COUNT_BITS-1:0] memory[2 ** (GROUP_BITS + 1)];
  assign page = reading ^ open;
  assign at = open && !blank && (edit || edits != '0)
    ? edit_row[ROW_BITS +: GROUP_BITS] : group;
  assign sample_ready = !full[filling] && !open;
  assign unused = full == '0 && position == '0 && !flush;
  assign take = sample_valid && sample_ready;
  assign is_label = position == 16'(WORDS);
  assign complete = full[reading];
  assign label = labels[reading];

  always_ff @(posedge clock) begin
    // A group is written when its last word has arrived.
    flush <= take && !is_label && (position == 16'(WORDS - 1)
      || position % 16'(PER_GROUP) == 16'(PER_GROUP - 1));
    flush_at <= {filling, position[WORD_BITS +: GROUP_BITS]};
    for (int k = 0; k < 32; k++)
      if (take && position % 16'(PER_GROUP) == 16'(k / LANES))
        assembled[COUNT_BITS * k +: COUNT_BITS] <=
          sample_data[16 / LANES * (k % LANES) +: COUNT_BITS];
    edits <= {edits[0], edit};
    for (int k = 0; k < 32; k++)
      edited[COUNT_BITS * k +: COUNT_BITS] <=
        stored[COUNT_BITS * k +: COUNT_BITS]
        + (k != 32'(edit_row[ROW_BITS-1:0]) ? '0
          : edit_negative ? '1 : COUNT_BITS'(1));
    if (flush || blank || edits[1])
      memory[flush ? flush_at : {page, at}] <=
        flush ? assembled : blank ? '0 : edited;
    stored <= memory[{page, at}];
    is_last <= group == GROUP_BITS'(GROUPS - 1);
    for (int k = 0; k < 32; k++)
      counts[COUNT_BITS * k +: COUNT_BITS] <=
        is_last && k >= INPUTS % 32
        ? (k == INPUTS % 32 ? COUNT_BITS'(2 ** TICKS_LOG) : '0)
        : stored[COUNT_BITS * k +: COUNT_BITS];

    if (take) begin
      position <= is_label ? '0 : position + 1'b1;
      if (is_label) begin
        labels[filling] <= sample_data[8:0];
        full[filling] <= 1'b1;
        filling <= !filling;
      end
    end
    if (done) begin
      full[reading] <= 1'b0;
      reading <= !reading;
    end
    if (reset) begin
      position <= '0;
      full <= '0;
      filling <= 1'b0;
      reading <= 1'b0;
      flush <= 1'b0;
      edits <= '0;
    end
  end

endmodule
