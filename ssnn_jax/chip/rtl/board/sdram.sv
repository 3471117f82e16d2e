// Controller of a single-data-rate SDRAM of 16 bits: bursts of words in order.
//
// A request reads or writes LENGTH words from an address on. In an open row a
// word moves in each clock. Rows are closed after each burst and at their ends,
// where they are refreshed, as often as is due. Times are at least these numbers
// of clocks, of up to 100 MHz. The
// word to write is that of the clocks after the request, which keep it.
module sdram #(
  parameter int COLUMN_BITS = 9, ROW_BITS = 13,
  parameter int MHZ = 80,                  // of the clock
  parameter int T_RCD = 2,                 // activate to read or write
  parameter int T_RP = 2,                  // precharge to activate
  parameter int T_RFC = 6,                 // refresh to activate
  parameter int CAS = 2,                   // latency of a read
  parameter int ADDRESS_BITS = COLUMN_BITS + ROW_BITS + 2
) (
  input  logic clock, reset, valid,
  input  logic restart,                     // sets the part up again
  output logic ready,
  input  logic write,
  input  logic [ADDRESS_BITS-1:0] address,  // of a word
  input  logic [15:0] length,               // words, 1 or more
  output logic up,                          // after power-up
  input  logic [15:0] data_in,
  output logic data_valid,
  output logic [15:0] data_out,
  // Pins; the command is {ras_n, cas_n, we_n}.
  output logic [2:0] command,
  output logic [1:0] bank,
  output logic [ROW_BITS-1:0] pins,
  output logic [15:0] dq_out,
  output logic dq_drive,
  input  logic [15:0] dq_in
);

  localparam int REFRESH = MHZ * 15 / 2;   // 7.8 us or less
  localparam logic [2:0] NOP = 3'b111, ACTIVATE = 3'b011, READ = 3'b101,
    WRITE = 3'b100, PRECHARGE = 3'b010, AUTO_REFRESH = 3'b001, MODE = 3'b000;
  typedef enum logic [2:0] {POWER, SETUP, IDLE, OPEN, BURST, CLOSE, PAUSE} state_t;
  state_t state, after;
  logic [15:0] wait_for, left, since;
  logic [3:0] step;
  logic [ADDRESS_BITS-1:0] place;
  logic writes, restarts;
  initial command = '1;
  logic [CAS+2:0] reading;                 // to the word, with registers of pins
  logic [COLUMN_BITS-1:0] column;
  logic row_ends;
  assign column = place[COLUMN_BITS-1:0];
  assign row_ends = &column;
  assign ready = state == IDLE && !restarts && since < 16'(REFRESH) && left == '0;

  always_ff @(posedge clock) begin
    command <= NOP;
    dq_drive <= state == BURST && writes;
    dq_out <= data_in;
    since <= since + 16'(since != '1);
    wait_for <= wait_for - 16'(wait_for != '0);
    reading <= {reading[CAS+1:0], state == BURST && !writes};
    data_valid <= reading[CAS+2];
    data_out <= dq_in;
    restarts <= restarts || restart;

    case (state)
      POWER: if (wait_for == '0) begin
        step <= '0;
        state <= SETUP;
      end
      SETUP: begin                          // close all, 8 refreshes, mode
        step <= step + 1'b1;
        wait_for <= 16'(T_RFC);
        after <= step == 4'd9 ? IDLE : SETUP;
        state <= PAUSE;
        command <= step == 0 ? PRECHARGE : step == 9 ? MODE : AUTO_REFRESH;
        bank <= '0;
        pins <= step == 0 ? ROW_BITS'(1 << 10) : ROW_BITS'(CAS << 4);
        since <= '0;
      end
      IDLE: if (restarts) begin
        step <= '0;
        restarts <= 1'b0;
        state <= SETUP;
      end else if (since >= 16'(REFRESH)) begin
        command <= AUTO_REFRESH;
        since <= since - 16'(REFRESH - 1);
        wait_for <= 16'(T_RFC - 1);
        after <= IDLE;
        state <= PAUSE;
      end else if (left != '0) state <= OPEN;
      else if (valid) begin
        place <= address;
        left <= length;
        writes <= write;
        state <= OPEN;
      end
      OPEN: begin
        command <= ACTIVATE;
        {pins, bank} <= place[ADDRESS_BITS-1:COLUMN_BITS];
        wait_for <= 16'(T_RCD - 1);
        after <= BURST;
        state <= PAUSE;
      end
      BURST: begin
        command <= writes ? WRITE : READ;
        pins <= ROW_BITS'(column);
        place <= place + 1'b1;
        left <= left - 1'b1;
        if (left == 16'd1 || row_ends) begin
          wait_for <= 16'(T_RP);            // to write, or the last read
          after <= CLOSE;
          state <= PAUSE;
        end
      end
      CLOSE: begin
        command <= PRECHARGE;
        pins <= ROW_BITS'(1 << 10);
        wait_for <= 16'(T_RP - 1);
        after <= IDLE;
        state <= PAUSE;
      end
      default: if (wait_for == '0) state <= after;
    endcase

    if (state == IDLE) up <= 1'b1;

    if (reset) begin
      up <= 1'b0;
      state <= POWER;
      wait_for <= 16'(MHZ * 200);          // 200 us
      restarts <= 1'b0;
      left <= '0;
      reading <= '0;
      data_valid <= 1'b0;
      dq_drive <= 1'b0;
    end
  end

endmodule
