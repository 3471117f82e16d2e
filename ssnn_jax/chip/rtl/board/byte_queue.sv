// Bytes that wait, in block RAM. It is never full, as the host does not send
// more than 2,000 bytes before they are answered.

module byte_queue #(
  parameter int ADDRESS_BITS = 11
) (
  input  logic       clock,
  input  logic       reset,
  input  logic       in_valid,
  input  logic [7:0] in_data,
  output logic       out_valid,
  input  logic       out_ready,
  output logic [7:0] out_data
);

  (* no_rw_check *)  // a byte is read after the clock of its writing
  logic [7:0] bytes [1 << ADDRESS_BITS];
  logic [ADDRESS_BITS-1:0] first, free;
  logic [7:0] read;           // block RAM answers late in the clock
  logic is_read;

  always_ff @(posedge clock) begin
    if (in_valid) bytes[free] <= in_data;
    read <= bytes[first];
    is_read <= first != free && !is_read && !out_valid;
    if (!out_valid) out_data <= read;
    if (reset) begin
      first <= '0;
      free <= '0;
      is_read <= 1'b0;
      out_valid <= 1'b0;
    end else begin
      free <= free + ADDRESS_BITS'(in_valid);
      first <= first + ADDRESS_BITS'(is_read);
      out_valid <= is_read || (out_valid && !out_ready);
    end
  end

endmodule
