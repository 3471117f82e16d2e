// Two pages for samples: one is presented while the next streams in.
//
// A sample is INPUTS bytes and a label. It is stored in groups of GROUP pixels,
// which the encoder reads in a clock; the last group has room for the bias.
module sample_pages #(
  parameter int INPUTS = 64,
  parameter int GROUP = 16,
  parameter int GROUP_BITS = 3
) (
  input  logic                  clock,
  input  logic                  reset,
  input  logic                  sample_valid,
  output logic                  sample_ready,
  input  logic [7:0]            sample_data,
  output logic                  complete,   // a page has a sample, with this
  output logic [7:0]            label,
  input  logic                  done,       // it has been presented
  input  logic [GROUP_BITS-1:0] group,
  output logic [8*GROUP-1:0]    pixels      // of the group, a clock later
);

  localparam int LANE_BITS = $clog2(GROUP);

  logic filling, reading, take, is_label, flush;
  logic [1:0] full;
  logic [16:0] position;
  logic [7:0] labels[2];
  logic [8*GROUP-1:0] word;
  logic [GROUP_BITS:0] flush_at;
  (* no_rw_check *) logic [8*GROUP-1:0] memory[2 ** (GROUP_BITS + 1)];

  assign sample_ready = !full[filling];
  assign take = sample_valid && sample_ready;
  assign is_label = position == 17'(INPUTS);
  assign complete = full[reading];
  assign label = labels[reading];

  always_ff @(posedge clock) begin
    // A group is written when its last pixel is in the word.
    flush <= take && !is_label
      && (&position[LANE_BITS-1:0] || position == 17'(INPUTS - 1));
    flush_at <= {filling, position[LANE_BITS +: GROUP_BITS]};
    for (int k = 0; k < GROUP; k++)
      if (take && position[LANE_BITS-1:0] == LANE_BITS'(k))
        word[8 * k +: 8] <= sample_data;
    if (flush) memory[flush_at] <= word;
    pixels <= memory[{reading, group}];

    if (take) begin
      position <= is_label ? '0 : position + 1'b1;
      if (is_label) begin
        labels[filling] <= sample_data;
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
    end
  end

endmodule
