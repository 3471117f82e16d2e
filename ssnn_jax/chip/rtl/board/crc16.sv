// Step of a checksum by a byte: CRC-16, x^16 + x^12 + x^5 + 1, from all ones.
module crc16 (
  input  logic [15:0] sum,
  input  logic [7:0] data,
  output logic [15:0] next
);

  function automatic [15:0] divide(input [15:0] rest);
    for (int k = 0; k < 8; k++)
      rest = {rest[14:0], 1'b0} ^ (rest[15] ? 16'h1021 : 16'b0);
    divide = rest;
  endfunction
  assign next = divide(sum ^ {data, 8'b0});

endmodule
