// Bytes from a serial line: a start bit, 8 bits, the lowest first, a stop bit.
//
// A frame without its stop bit (a break of the line, or another baud rate)
// raises `broken` until the line is idle again.

module uart_receiver #(
  parameter int DIVIDER = 24  // clocks of a bit, 4 or more
) (
  input  logic clock, reset, line,
  output logic valid,  // for one clock
  output logic [7:0] data,
  output logic broken
);

  localparam int BITS = $clog2(DIVIDER);

  logic [1:0] seen;           // the line in step with the clock
  logic [BITS-1:0] wait_for;  // clocks to the middle of the next bit
  logic [3:0] left;           // bits of the frame

  always_ff @(posedge clock) begin
    seen <= {seen[0], line};
    valid <= 1'b0;
    if (reset) begin
      seen <= '1;
      left <= '0;
      broken <= 1'b0;
    end else if (broken)
      broken <= !seen[1];
    else if (left == 0) begin
      if (!seen[1]) left <= 10;
      wait_for <= BITS'(DIVIDER / 2 - 1);
    end else if (wait_for != 0)
      wait_for <= wait_for - 1'b1;
    else begin
      wait_for <= BITS'(DIVIDER - 1);
      left <= left - 1'b1;
      if (left == 10 && seen[1])  // a glitch, no start bit
        left <= '0;
      else if (left == 1) begin
        valid <= seen[1];
        broken <= !seen[1];
      end else
        data <= {seen[1], data[7:1]};
    end
  end

endmodule
