// Presents samples to chip_top in four-state logic, and prints its answers and
// weights. Files of numbers come from the test, with their sizes.
module chip_tb;

  logic clock = 0, reset = 1;
  logic sample_valid = 0, sample_ready, event_valid = 0, event_ready;
  logic [15:0] sample_data, event_row;
  logic event_negative, event_last, result_valid, result_ready = 0;
  logic [7:0] answer;
  logic [`RATES-1:0] rates = `RATE;
  logic row_valid = 0, row_ready, row_write, weight_in_valid = 0;
  logic weight_in_ready, weight_out_valid, weight_out_ready = 0, busy;
  logic [1:0] row_layer;
  logic [15:0] row_index;
  logic [`BITS-1:0] weight_in_data, weight_out_data;
  chip_top own (.*);
  always #1 clock = !clock;

  logic [15:0] words[`WORDS], weights[`WEIGHTS];
  int sizes[`LAYERS + 1], sent, read;

  task automatic access(input bit write);
    read = 0;
    for (int l = 0; l < `LAYERS; l++)
      for (int row = 0; row <= sizes[l]; row++) begin
        {row_write, row_layer, row_index} = {write, 2'(l), 16'(row)};
        row_valid = 1;
        while (row_ready !== 1) @(negedge clock);
        @(negedge clock) row_valid = 0;
        for (int j = 0; j < sizes[l + 1]; j++) begin
          weight_in_data = weights[read][`BITS-1:0];
          weight_in_valid = write;
          weight_out_ready = !write;
          while (write ? !weight_in_ready : !weight_out_valid) @(negedge clock);
          if (!write) $display("weight %b", weight_out_data);
          read++;
          @(negedge clock);
          {weight_in_valid, weight_out_ready} = '0;
        end
        while (busy !== 0) @(negedge clock);
      end
  endtask

  initial begin
    $readmemh("words.hex", words);
    $readmemh("weights.hex", weights);
    $readmemh("sizes.hex", sizes);
    repeat (8) @(negedge clock);
    reset = 0;
    access(1);
    fork
      for (sent = 0; sent < `WORDS; sent++) begin
        {sample_valid, sample_data} = {1'b1, words[sent]};
        while (sample_ready !== 1) @(negedge clock);
        @(negedge clock) sample_valid = 0;
      end
      repeat (`SAMPLES) begin
        while (result_valid !== 1) @(negedge clock);
        $display("answer %b", answer);
        result_ready = 1;
        @(negedge clock) result_ready = 0;
      end
    join
    access(0);
    $finish;
  end

endmodule
