// Model of a SDRAM part, which raises `broken` where a rule is.
module sdram_model #(
  parameter int COLUMN_BITS = 9, ROW_BITS = 13,
  parameter int REFRESH = 625,             // clocks of 64 ms / 8,192
  parameter int T_RCD = 2, T_RP = 2, T_RFC = 6,
  parameter int WORDS_LOG = 16             // that are kept
) (
  input  logic clock,
  input  logic [2:0] command,
  input  logic [1:0] bank,
  input  logic [ROW_BITS-1:0] pins,
  input  logic [15:0] dq_in,
  input  logic dq_drive,
  output logic [15:0] dq_out,
  output logic drives,
  output logic broken
);

  logic [15:0] memory[2 ** WORDS_LOG];
  logic [3:0] is_open;
  logic [ROW_BITS-1:0] rows[4];
  int now, opened[4], closed, refreshed, cas, due, count;
  logic is_set, is_read;
  logic [15:0] first;
  logic [WORDS_LOG-1:0] place;
  assign place = WORDS_LOG'({rows[bank], bank, pins[COLUMN_BITS-1:0]});
  initial begin
    now = 0;
    closed = -100;
    refreshed = -100;
    is_open = '0;
    is_set = 0;
    broken = 0;
  end

  always_ff @(posedge clock) begin
    now <= now + 1;
    dq_out <= first;                       // of a latency of 2
    drives <= is_read;
    is_read <= command == 3'b101;
    case (command)
      3'b000: begin
        is_set <= 1;
        due <= now;
        count <= 0;
        cas <= 32'(pins[6:4]);
        if (is_open != '0 || pins[3:0] != '0) broken <= 1;
      end
      3'b001: begin
        refreshed <= now;
        count <= count + 1;
        if (is_open != '0 || now - closed < T_RP) broken <= 1;
      end
      3'b010: begin
        closed <= now;
        is_open <= '0;
      end
      3'b011: begin
        is_open[bank] <= 1;
        rows[bank] <= pins;
        opened[bank] <= now;
        if (is_open[bank] || !is_set || now - closed < T_RP
            || now - refreshed < T_RFC) broken <= 1;
      end
      3'b100: begin
        memory[place] <= dq_in;
        if (!is_open[bank] || now - opened[bank] < T_RCD || !dq_drive)
          broken <= 1;
      end
      3'b101: begin
        first <= memory[place];
        if (!is_open[bank] || now - opened[bank] < T_RCD || dq_drive || cas != 2)
          broken <= 1;
      end
      default: ;
    endcase
    if (drives && dq_drive) broken <= 1;
    if (is_set && now - due > REFRESH * (count + 9)) broken <= 1;   // 8 may wait
  end

endmodule
