// What modules of the chip promise at their streams, whatever the others do.
//
// For a solver: inputs are free, `number` is any one, and the first clock resets.
module prove_queue (
  input logic clock, in_valid, out_ready,
  input logic [1:0] in_data
);
  logic reset = 1, in_ready, out_valid, waits;
  logic [1:0] out_data, own_data, last_data;
  logic [2:0] count;
  logic [3:0] pushed, popped;
  (* anyconst *) logic [3:0] number;
  queue #(.BITS(2), .DEPTH_LOG(2)) own (.*);
  always @(posedge clock) begin
    reset <= 0;
    waits <= !reset && out_valid && !out_ready;
    last_data <= out_data;
    pushed <= reset ? '0 : pushed + 4'(in_valid && in_ready);
    popped <= reset ? '0 : popped + 4'(out_valid && out_ready);
    if (in_valid && in_ready && pushed == number) own_data <= in_data;
    if (!reset) begin
      // No word is lost, and all keep their order and value.
      assert (4'(pushed - popped) == 4'(count) + 4'(out_valid));
      if (out_valid && popped == number) assert (out_data == own_data);
      if (waits) assert (out_valid && out_data == last_data);
    end
  end
endmodule

module prove_sample_pages (
  input logic clock, sample_valid, finish,
  input logic [15:0] sample_data
);
  logic reset = 1, sample_ready, complete, done, unused, is_label;
  logic open, blank, edit, edit_negative;
  logic [5:0] edit_row;
  logic group;
  logic [8:0] label, own_label;
  logic [32*2-1:0] counts;
  logic [1:0] own_count;
  logic [3:0] age, taken, presented;
  (* anyconst *) logic [3:0] number;
  assign {open, blank, edit, edit_negative, edit_row, group} = '0;
  assign done = complete && finish;
  sample_pages #(.INPUTS(2), .TICKS_LOG(1)) own (.*);
  always @(posedge clock) begin
    reset <= 0;
    if (sample_valid && sample_ready) begin
      is_label <= !is_label;
      taken <= taken + 4'(is_label);
      if (taken == number && is_label) own_label <= sample_data[8:0];
      if (taken == number && !is_label) own_count <= sample_data[5:4];
    end
    presented <= presented + 4'(done);
    age <= done || !complete ? '0 : age + 4'(age != '1);
    if (reset) {is_label, taken, presented, age} <= '0;
    if (!reset) begin
      // Two samples at most, in their order; a page stands until it is done.
      assert (4'(taken - presented) <= 4'd2);
      assert (complete == (taken != presented));
      if (complete && presented == number) begin
        assert (label == own_label);
        if (age > 4'd2) assert (counts[3:2] == own_count);
      end
    end
  end
endmodule

module prove_row_access (
  input logic clock, row_valid, row_write, weight_in_valid, weight_out_ready,
  input logic [1:0] row_layer, weight_in_data,
  input logic [15:0] row_index,
  input logic start, finish,
  input logic [3:0] chosen
);
  logic reset = 1, idle, row_ready, weight_in_ready, weight_out_valid, active;
  logic present, level, load, clear, writes, waits;
  logic [1:0] weight_out_data, weight, layers, last_data, last_in;
  logic [15:0] row;
  logic [4:0] pick;
  logic [9:0] slice;
  logic [2:0] moved, most;                 // weights of the row
  row_access #(
    .LAYERS(2), .SIZES({32'd2, 32'd3, 32'd4}), .WIDTH(2), .WEIGHT_BITS(2)
  ) own (.*);
  assign most = layers[1] ? 3'd2 : 3'd3;
  always @(posedge clock) begin
    reset <= 0;
    // As `chip` starts a sample.
    idle <= reset || (idle ? !start || active || row_valid : finish);
    if (row_valid && row_ready) begin
      writes <= row_write;
      moved <= '0;
    end else if ((weight_in_valid && weight_in_ready)
        || (weight_out_valid && weight_out_ready)) moved <= moved + 1'b1;
    if (weight_in_valid && weight_in_ready) last_in <= weight_in_data;
    waits <= !reset && weight_out_valid && !weight_out_ready && !row_valid;
    last_data <= weight_out_data;
    if (!reset) begin
      // Nothing passes while a sample is presented; a row has all its weights,
      // and each goes to its own column; none is taken by a new request.
      assert (!(row_valid && row_ready && (weight_in_ready || weight_out_valid)));
      assert (idle || !(active || present || row_ready));
      if (weight_in_ready) assert (writes && moved < most);
      if (weight_out_valid) assert (!writes && moved < most);
      if (present && writes)
        assert (weight == last_in && 10'(moved) == 2 * slice + 10'(pick) + 1);
      if (waits && !row_valid)
        assert (weight_out_valid && weight_out_data == last_data);
    end
  end
endmodule
