// Plays the host: sends the commands of a file, and says on the line whether the
// answers are right, again and again.
//
// A step of the file is a length, the bytes of a command, the length of its
// answer, and the checksum at its end, which is one of all its bytes. Lengths have
// their lowest byte first, checksums their highest; a length of 0 ends the file.
// The line of text has the letter of each command, once of those in a row, and
// then `ok`, or `!` and the last 6 bytes of the wrong answer. 0 bytes are no answer.
module self_test #(
  parameter int BYTES = 1,
  parameter FILE = "",                     // of hexadecimal bytes
  parameter int PAUSE = 1_250_000          // steps of 64 clocks without an answer
) (
  input  logic clock, reset,
  output logic passed, failed,             // the last time
  // To and from `link`, in place of the serial line.
  output logic in_valid,
  output logic [7:0] in_data,
  input  logic out_valid,
  output logic out_ready,
  input  logic [7:0] out_data,
  // To the serial line.
  output logic text_valid,
  input  logic text_ready,
  output logic [7:0] text
);

  localparam int AT_BITS = $clog2(BYTES + 1);
  typedef enum logic [2:0] {SIZE, SEND, EXPECT, RECEIVE, JUDGE, TEXT, REST} state_t;
  state_t state, after;
  logic [7:0] file[BYTES];
  logic [7:0] fetched, read, letter, last_letter;
  logic [AT_BITS-1:0] at;
  logic [5:0] pace;                        // a byte in 64 clocks, as a line has
  logic [1:0] count;
  logic [15:0] left, expected;
  logic [47:0] answer;
  logic [26:0] waited;
  logic [16*8-1:0] line;                   // the next character highest
  logic [4:0] rest;
  logic tick;
  if (BYTES > 1) begin : g_file
    initial $readmemh(FILE, file);
  end
  assign tick = pace == '0;
  assign in_valid = state == SEND && tick;
  assign in_data = read;
  assign out_ready = state == RECEIVE && tick;
  assign text_valid = state == TEXT && rest != '0;
  assign text = line[16*8-1 -: 8];

  function automatic [7:0] digit(input [3:0] value);
    digit = value < 4'd10 ? "0" + 8'(value) : "a" + 8'(value) - 8'd10;
  endfunction

  always_ff @(posedge clock) begin
    fetched <= file[at];                   // block RAM answers late
    read <= fetched;
    pace <= pace + 1'b1;
    if (tick)
      case (state)
        SIZE: begin
          left <= {read, left[15:8]};
          count <= count + 1'b1;
          at <= at + 1'b1;
          if (count == 2'd1) begin
            count <= '0;
            state <= SEND;
            if ({read, left[15:8]} == '0) begin
              {passed, failed} <= 2'b10;
              line <= {" ok\r\n", 88'b0};
              rest <= 5'd5;
              after <= REST;
              state <= TEXT;
            end
          end
        end
        SEND: begin
          if (count == '0) letter <= read;
          count <= 2'd1;
          at <= at + 1'b1;
          left <= left - 1'b1;
          if (left == 16'd1) begin
            count <= '0;
            state <= EXPECT;
          end
        end
        EXPECT: begin
          if (!count[1]) left <= {read, left[15:8]};
          else expected <= {expected[7:0], read};
          at <= at + 1'b1;
          count <= count + 1'b1;
          waited <= '0;
          answer <= '0;
          if (count == 2'd3) state <= RECEIVE;
        end
        RECEIVE: begin
          waited <= waited + 1'b1;
          if (out_valid) begin
            waited <= '0;
            answer <= {answer[39:0], out_data};
            left <= left - 1'b1;
          end
          if ((out_valid && left == 16'd1) || waited == 27'(PAUSE)) state <= JUDGE;
        end
        JUDGE: begin
          last_letter <= letter;
          line[16*8-1 -: 8] <= letter;
          rest <= 5'(letter != last_letter);
          after <= SIZE;
          state <= TEXT;
          if (answer[15:0] != expected || waited != '0) begin
            {passed, failed} <= 2'b01;
            line[16*8-1 -: 16] <= {letter, "!"};
            for (int k = 0; k < 12; k++)
              line[8*(2+k) +: 8] <= digit(answer[4*k +: 4]);
            line[15:0] <= "\r\n";
            rest <= 5'd16;
            after <= REST;
          end
        end
        REST: begin
          waited <= waited + 1'b1;
          if (waited == 27'(PAUSE)) begin
            {at, last_letter} <= '0;
            state <= SIZE;
          end
        end
        default: ;
      endcase
    if (state == TEXT) begin
      if (rest == '0) begin
        waited <= '0;
        count <= '0;
        state <= after;
      end else if (text_ready) begin
        line <= line << 8;
        rest <= rest - 1'b1;
      end
    end
    if (reset) begin
      {pace, at, count, last_letter} <= '0;
      {passed, failed} <= '0;
      state <= SIZE;
    end
  end

endmodule
