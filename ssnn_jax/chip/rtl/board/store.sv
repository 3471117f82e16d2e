// Memory of samples in block RAM, behind the port of `sdram`.
module store #(
  parameter int SIZE_LOG = 12              // of words
) (
  input  logic clock, reset, valid,
  output logic ready,
  input  logic write,
  input  logic [23:0] address,  // of a word
  input  logic [15:0] length,   // words, 1 or more
  output logic up,
  input  logic [15:0] data_in,
  output logic data_valid,
  output logic [15:0] data_out
);

  (* no_rw_check *) logic [15:0] words[2 ** SIZE_LOG];
  logic [SIZE_LOG-1:0] place;
  logic [15:0] left;
  logic writes;
  assign ready = left == '0;
  assign up = 1'b1;

  always_ff @(posedge clock) begin
    if (!ready && writes) words[place] <= data_in;
    data_out <= words[place];
    data_valid <= !ready && !writes && !reset;
    if (ready) begin
      place <= address[SIZE_LOG-1:0];
      writes <= write;
      if (valid) left <= length;
    end else begin
      place <= place + 1'b1;
      left <= left - 1'b1;
    end
    if (reset) left <= '0;
  end

endmodule
