// Bytes to a serial line: a start bit, 8 bits, the lowest first, a stop bit.

module uart_transmitter #(
  parameter int DIVIDER = 24  // clocks of a bit
) (
  input  logic clock, reset, valid,
  output logic ready,
  input  logic [7:0] data,
  output logic line
);

  localparam int BITS = $clog2(DIVIDER);

  logic [9:0] frame;
  logic [BITS-1:0] wait_for;  // clocks to the next bit
  logic [3:0] left;           // bits of the frame after this one

  assign line = frame[0];
  assign ready = wait_for == 0 && left == 0;

  always_ff @(posedge clock)
    if (reset) begin
      frame <= '1;
      wait_for <= '0;
      left <= '0;
    end else if (wait_for != 0)
      wait_for <= wait_for - 1'b1;
    else if (left != 0 || valid) begin
      frame <= left != 0 ? {1'b1, frame[9:1]} : {1'b1, data, 1'b0};
      left <= left != 0 ? left - 1'b1 : 4'd9;
      wait_for <= BITS'(DIVIDER - 1);
    end

endmodule
