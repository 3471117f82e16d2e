// The chip on a ULX3S: its clock, reset button, LEDs, SDRAM, and serial line
// over USB.
module ulx3s #(
  // Clock of the chip: 25 MHz * MULTIPLY / DIVIDE; the oscillator runs at
  // 25 MHz * MULTIPLY, 400 to 800 MHz. The clock of the SDRAM is later by PHASE,
  // eighths of a period of the oscillator, of which a clock has 8 * DIVIDE.
  parameter int MULTIPLY = 24, DIVIDE = 12, MHZ = 50, PHASE = 67,
  parameter int IDLE = 10_000 * MHZ,
  // As of `board`.
  parameter int DIVIDER = 17, LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17, WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0,
  parameter int TEST_LOG = 20, TRANSCRIPT_BYTES = 0,
  parameter TRANSCRIPT = ""
) (
  input  logic clk_25mhz,
  input  logic ftdi_txd,  // from the host
  output logic ftdi_rxd,  // to the host
  input  logic fire,      // button 1: reset
  output logic [7:0] led,
  output logic wifi_gpio0, sdram_clk, sdram_cke, sdram_csn, sdram_rasn,
  output logic sdram_casn, sdram_wen,
  output logic [1:0] sdram_ba,
  output logic [12:0] sdram_a,
  output logic [1:0] sdram_dqm,
  inout  wire  [15:0] sdram_d
);

  logic clock, memory_clock, feedback, locked, busy, dq_drive, step, up;
  logic passed, failed;
  logic [2:0] command;
  logic [1:0] bank;
  logic [12:0] pins;
  logic [15:0] dq_out, dq_in;
  // Also if the PLL locks before the first clock.
  logic [9:0] resets = '1;
  logic reset = 1'b1;

  (* ICP_CURRENT = "12", LPF_RESISTOR = "8" *)
  (* MFG_ENABLE_FILTEROPAMP = "1", MFG_GMCREF_SEL = "2" *)
  EHXPLLL #(
    .CLKI_DIV(1), .CLKFB_DIV(1), .CLKOP_DIV(MULTIPLY),
    .CLKOP_CPHASE(MULTIPLY - 1), .CLKOP_FPHASE(0), .CLKOP_ENABLE("ENABLED"),
    .CLKOS_DIV(DIVIDE), .CLKOS_CPHASE(DIVIDE - 1), .CLKOS_FPHASE(0),
    .CLKOS_ENABLE("ENABLED"), .CLKOS2_DIV(DIVIDE),
    .CLKOS2_CPHASE(DIVIDE - 1 + PHASE / 8), .CLKOS2_FPHASE(PHASE % 8),
    .CLKOS2_ENABLE("ENABLED"), .FEEDBK_PATH("CLKOP"),
    .OUTDIVIDER_MUXA("DIVA"), .OUTDIVIDER_MUXB("DIVB"), .OUTDIVIDER_MUXC("DIVC"),
    .PLLRST_ENA("DISABLED"),
    .INTFB_WAKE("DISABLED"), .STDBY_ENABLE("DISABLED"),
    .DPHASE_SOURCE("ENABLED")
  ) pll (                                  // a step delays CLKOS2
    .CLKI(clk_25mhz), .CLKFB(feedback), .CLKOP(feedback), .CLKOS(clock),
    .CLKOS2(memory_clock), .LOCK(locked), .RST(1'b0), .STDBY(1'b0),
    .PHASESEL0(1'b1), .PHASESEL1(1'b0), .PHASEDIR(1'b0), .PHASESTEP(step),
    .PHASELOADREG(1'b0), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0));
  always_ff @(posedge clock) begin
    resets <= {resets[8:0], fire || !locked};
    reset <= resets[9:2] != '0;
  end

  board #(
    .DIVIDER(DIVIDER), .MHZ(MHZ), .IDLE(IDLE), .LIST_LOG(LIST_LOG), .LAYERS(LAYERS),
    .WORDS(WORDS), .WEIGHT_BITS(WEIGHT_BITS), .RATE_BITS(RATE_BITS),
    .SIGNATURE(SIGNATURE), .TEST_LOG(TEST_LOG), .PHASES(8 * DIVIDE), .PHASE(PHASE),
    .TRANSCRIPT(TRANSCRIPT),
    .TRANSCRIPT_BYTES(TRANSCRIPT_BYTES)
  ) own (
    .clock, .reset, .receive(ftdi_txd), .transmit(ftdi_rxd), .busy, .up, .step,
    .passed, .failed, .command, .bank, .pins, .dq_out, .dq_drive, .dq_in);

  // Pins have registers in their IO cells, so that no wire of the chip is in
  // their timing. The SDRAM takes them at its own clock, and its words are taken
  // three clocks after its command.
  ODDRX1F forward (
    .SCLK(memory_clock), .RST(1'b0), .D0(1'b1), .D1(1'b0), .Q(sdram_clk));
  pin_out #(.BITS(18)) control (
    .clock, .in({command, bank, pins}),
    .out({sdram_rasn, sdram_casn, sdram_wen, sdram_ba, sdram_a}));
  logic [15:0] word, released;
  pin_out #(.BITS(32)) words (
    .clock, .in({dq_out, {16{!dq_drive}}}), .out({word, released}));
  for (genvar k = 0; k < 16; k++) begin : g_pin
    logic own_word;
    BB pad (.I(word[k]), .T(released[k]), .O(own_word), .B(sdram_d[k]));
    IFS1P3DX register (
      .D(own_word), .SP(1'b1), .SCLK(clock), .CD(1'b0), .Q(dq_in[k]));
  end
  assign {sdram_cke, sdram_csn, sdram_dqm} = 4'b1000;

  assign wifi_gpio0 = 1'b1;  // or the ESP32 may load another bitstream
  // Lit: clock, the chip is busy, bytes from and to the host, memory, self-test
  // passed or failed; the last one blinks. What is short is shown for 0.1 s.
  logic [25:0] beat;
  logic [2:0] seen;
  always_ff @(posedge clock) begin
    beat <= beat + 1'b1;
    seen <= (beat[22:0] == '0 ? '0 : seen) | {!ftdi_rxd, !ftdi_txd, busy};
  end
  assign led = {beat[25], failed, passed, up, seen, locked};

endmodule
// Registers in the IO cells of output pins.
module pin_out #(
  parameter int BITS = 1
) (
  input  logic clock,
  input  logic [BITS-1:0] in,
  output logic [BITS-1:0] out
);

  for (genvar k = 0; k < BITS; k++) begin : g_pin
    OFS1P3BX register (                    // 1, no command, until the first clock
      .D(in[k]), .SP(1'b1), .SCLK(clock), .PD(1'b0), .Q(out[k]));
  end

endmodule
