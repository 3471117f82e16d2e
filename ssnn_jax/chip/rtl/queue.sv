// Queue of up to 2^DEPTH_LOG words, and one more at its end.
module queue #(
  parameter int BITS = 8, DEPTH_LOG = 4
) (
  input  logic clock, reset, in_valid,
  output logic in_ready,
  input  logic [BITS-1:0] in_data,
  output logic out_valid,
  input  logic out_ready,
  output logic [BITS-1:0] out_data,
  output logic [DEPTH_LOG:0] count  // without that at the end
);

  logic [BITS-1:0] words[2 ** DEPTH_LOG];
  logic [DEPTH_LOG-1:0] head, tail;
  logic push, fetch;
  assign in_ready = !count[DEPTH_LOG];
  assign push = in_valid && in_ready;
  assign fetch = count != '0 && (out_ready || !out_valid);

  always_ff @(posedge clock) begin
    if (push) words[tail] <= in_data;
    if (fetch) out_data <= words[head];
    tail <= tail + DEPTH_LOG'(push);
    head <= head + DEPTH_LOG'(fetch);
    count <= count + (DEPTH_LOG+1)'(push) - (DEPTH_LOG+1)'(fetch);
    out_valid <= fetch || (out_valid && !out_ready);
    if (reset) begin
      head <= '0;
      tail <= '0;
      count <= '0;
      out_valid <= 1'b0;
    end
  end

endmodule
