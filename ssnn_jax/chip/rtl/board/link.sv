// Commands of the host, and their answers, byte by byte, with checksums.
//
//   letter, number, place (3 bytes), length (2), checksum (2)
//   length bytes, and their checksum, if the host writes
//
// and the answer: letter, number, length bytes if the host reads, checksum.
//
//   Z        resets the chip                I  reads the number of a place
//   T        tests the block of the memory at a place; reads wrong words and bits;
//            with an odd number it only reads the block
//   S        delays the clock of the SDRAM by a step
//   W, R     write or read a row: place is layer * 2^16 + row, a weight 2 bytes
//   L        loads words of 2 bytes into the memory at a place
//   P        presents a list of samples and rates, 3 bytes each
//   A        reads the answers of a list, a byte each, when it is finished
//
// Numbers have their lowest byte first. A command whose checksums are not right,
// or that cannot be executed now, is answered by N when the line is silent; the
// host then sends it again. Twice changes nothing: the list of P is executed
// only if `number` is that of the next list. What is written is used at once,
// as the checksum of its place was right. A byte that arrives while the board
// waits for its answer is of a host that has given up, and ends the command.
module link #(
  parameter int WEIGHT_BITS = 12, LIST_LOG = 9,
  parameter int IDLE = 800_000             // clocks of a silent line
) (
  input  logic clock, reset, in_valid,
  input  logic [7:0] in_data,
  input  logic broken,  // a byte was
  output logic out_valid,
  input  logic out_ready,
  output logic [7:0] out_data,
  input  logic [31:0] info,                // of `place`
  output logic [23:0] place,
  output logic reads_only,                 // the test
  output logic [15:0] damaged,             // commands, or not executed
  output logic step, test_start,
  input  logic test_busy,
  input  logic [31:0] tested,
  output logic chip_reset,
  output logic row_valid,
  input  logic row_ready,
  output logic row_write,
  output logic [1:0] row_layer,
  output logic [15:0] row_index,
  output logic weight_in_valid,
  output logic [WEIGHT_BITS-1:0] weight_in_data,
  input  logic weight_in_ready,
  input  logic weight_out_valid,
  output logic weight_out_ready,
  input  logic [WEIGHT_BITS-1:0] weight_out_data,
  output logic load_valid,
  input  logic load_ready,
  output logic [23:0] load_address,
  output logic [15:0] load_data,
  output logic list_write,
  output logic [LIST_LOG:0] list_place,
  output logic [23:0] list_entry,
  input  logic [7:0] list_answer,
  output logic list_start,
  output logic [LIST_LOG:0] list_size,
  input  logic [7:0] list_number,
  input  logic [1:0] list_waiting,
  input  logic [1:0] list_started
);

  typedef enum logic [2:0] {HEADER, EXECUTE, PAYLOAD, REPLY, DROP} state_t;
  state_t state;
  logic [7:0] letter, number, low, middle;
  logic [15:0] count, length, told, sum, next, out_sum, out_next;
  logic [23:0] silent;
  logic [1:0] phase;                       // byte of a number of the payload
  logic [15:0] item;                       // number of it
  logic reads, can, again, refused, sends, is_payload, lost;
  logic is_right;
  logic [7:0] age;                         // lists since that of the number
  logic [1:0] each;                        // bytes of a number, less 1
  logic [31:0] value;
  crc16 in_step (.sum, .data(in_data), .next);
  // A clock after the byte, long before the next one.
  logic was_sent;
  logic [7:0] sent_data;
  crc16 out_step (.sum(out_sum), .data(sent_data), .next(out_next));

  logic is_word;                           // of 4 bytes
  logic [31:0] noted;                      // as it may change while it is sent
  assign is_word = letter == "I" || letter == "T";
  assign reads = is_word || letter == "R" || letter == "A";
  assign again = age == 8'd1 && list_started != '0;   // it was executed
  assign each = letter == "P" ? 2'd2 : 2'd1;
  always_ff @(posedge clock) begin         // known long before they are used
    age <= list_number - number;
    told <= reads ? length : '0;
    is_payload <= count >= 16'd2 && count < told + 16'd2;
    case (letter)
      "Z", "I": can <= 1'b1;
      "L", "W", "R", "T", "S": can <= list_waiting == '0;
      "P": can <= (again || (age == '0 && !list_waiting[1]))
        && length != '0 && length <= 16'(3 * 2 ** LIST_LOG);
      "A": can <= age != '0 && age <= 8'(list_started);
      default: can <= 1'b0;
    endcase
  end
  assign reads_only = number[0];
  assign row_write = letter == "W";
  assign row_layer = place[17:16];
  assign row_index = place[15:0];
  assign list_place = {number[0], LIST_LOG'(letter == "P" ? item - 1'b1
    : count - 16'd2)};
  assign list_entry = {in_data, middle, low};
  assign weight_in_data = WEIGHT_BITS'({in_data, low});
  assign weight_out_ready = state == REPLY && letter == "R" && sends && phase[0];
  assign sends = out_valid && out_ready;

  // Answer: byte `count` of it.
  assign value = letter == "I" ? noted : letter == "T" ? tested
    : 32'($signed(weight_out_data));
  assign out_valid = state == REPLY && !test_busy && !test_start
    && (letter != "R" || !is_payload || weight_out_valid)
    && (letter != "A" || refused || list_waiting == '0
      || (list_waiting == 2'd1 && age == 8'd2));
  assign is_right = next == '0 && !lost
    && (letter != "P" || phase == 2'd1);  // an entry has 3 bytes
  assign out_data = count == '0 ? (refused ? "N" : letter)
    : count == 16'd1 ? number
    : !is_payload ? (count[0] == told[0] ? out_sum[15:8] : low)
    : letter == "A" ? list_answer : 8'(value >> (8 * phase));

  always_ff @(posedge clock) begin
    silent <= in_valid ? '0 : silent + 24'(silent != '1);
    row_valid <= row_valid && !row_ready;
    load_valid <= load_valid && !load_ready;
    weight_in_valid <= 1'b0;
    lost <= lost || (weight_in_valid && !weight_in_ready);
    list_write <= 1'b0;
    list_start <= 1'b0;
    chip_reset <= 1'b0;
    step <= 1'b0;
    test_start <= 1'b0;
    was_sent <= sends;
    sent_data <= out_data;
    if (was_sent) out_sum <= out_next;
    case (state)
      HEADER: begin
        if (in_valid) begin
          sum <= next;
          count <= count + 1'b1;
          case (count)
            16'd0: letter <= in_data;
            16'd1: number <= in_data;
            16'd2, 16'd3, 16'd4: place <= {in_data, place[23:8]};
            16'd5, 16'd6: length <= {in_data, length[15:8]};
            16'd7: ;
            default: state <= next == '0 ? EXECUTE : DROP;
          endcase
        end else if (count != '0 && silent == 24'(IDLE)) state <= DROP;
        if (broken) state <= DROP;
        refused <= 1'b0;
      end
      EXECUTE: begin
        noted <= info;
        sum <= '1;
        out_sum <= '1;
        count <= '0;
        phase <= '0;
        item <= '0;
        lost <= 1'b0;
        row_valid <= can && (letter == "W" || letter == "R");
        chip_reset <= can && letter == "Z";
        step <= can && letter == "S";
        test_start <= can && letter == "T";
        if (!can) state <= DROP;
        else state <= reads || length == '0 ? REPLY : PAYLOAD;
      end
      PAYLOAD: begin
        if (in_valid) begin
          sum <= next;
          count <= count + 1'b1;
          phase <= phase == each ? '0 : phase + 1'b1;
          if (phase == 2'd0) low <= in_data;
          if (phase == 2'd1) middle <= in_data;
          if (count < length && phase == each) begin
            if (load_valid && !load_ready) lost <= 1'b1;
            item <= item + 1'b1;
            weight_in_valid <= letter == "W";
            load_valid <= letter == "L";
            load_data <= {in_data, low};
            load_address <= place + 24'(item);
            list_write <= letter == "P" && !again;
          end
          if (count == length + 1'b1) begin
            count <= '0;
            list_start <= letter == "P" && !again && is_right;
            list_size <= (LIST_LOG+1)'(item);
            state <= is_right ? REPLY : DROP;
          end
        end else if (silent == 24'(IDLE)) state <= DROP;
        if (broken) state <= DROP;
      end
      REPLY: if (sends) begin
        count <= count + 1'b1;
        if (is_payload) phase <= is_word ? phase + 1'b1 : {1'b0, !phase[0]};
        if (count == 16'd1) phase <= '0;
        if (!is_payload && count > 16'd1) begin
          low <= out_sum[7:0];
          if (count == told + 16'd3) begin
            state <= HEADER;
            count <= '0;
            sum <= '1;
          end
        end
      end else if (in_valid && !out_valid) state <= DROP;
      default: begin
        refused <= 1'b1;
        count <= '0;
        out_sum <= '1;
        if (silent >= 24'(IDLE) && !in_valid && !broken) begin
          damaged <= damaged + 16'(damaged != '1);
          length <= '0;
          state <= REPLY;
        end
      end
    endcase
    if (reset) begin
      state <= HEADER;
      count <= '0;
      sum <= '1;
      silent <= '0;
      damaged <= '0;
      row_valid <= 1'b0;
      load_valid <= 1'b0;
    end
  end

endmodule
