// The chip on a ULX3S: its clock, reset button, LEDs, SDRAM, and serial line
// over USB.
module ulx3s #(
  // Clock of the chip: 25 MHz * MULTIPLY / DIVIDE; the oscillator runs at
  // 25 MHz * MULTIPLY, 400 to 800 MHz.
  parameter int MULTIPLY = 24, DIVIDE = 12, MHZ = 50,
  // As of `board`.
  parameter int DIVIDER = 17, LIST_LOG = 9, LAYERS = 2,
  parameter int WORDS = 17, WEIGHT_BITS = 12, RATE_BITS = 16,
  parameter logic [31:0] SIGNATURE = '0
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

  logic clock, feedback, locked, busy, dq_drive;
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
    .CLKOS_ENABLE("ENABLED"), .FEEDBK_PATH("CLKOP"),
    .OUTDIVIDER_MUXA("DIVA"), .OUTDIVIDER_MUXB("DIVB"), .PLLRST_ENA("DISABLED"),
    .INTFB_WAKE("DISABLED"), .STDBY_ENABLE("DISABLED"),
    .DPHASE_SOURCE("DISABLED")
  ) pll (
    .CLKI(clk_25mhz), .CLKFB(feedback), .CLKOP(feedback), .CLKOS(clock),
    .LOCK(locked), .RST(1'b0), .STDBY(1'b0), .PHASESEL0(1'b0),
    .PHASESEL1(1'b0), .PHASEDIR(1'b1),
    .PHASESTEP(1'b1), .PHASELOADREG(1'b1), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0));
  always_ff @(posedge clock) begin
    resets <= {resets[8:0], fire || !locked};
    reset <= resets[9:2] != '0;
  end

  board #(
    .DIVIDER(DIVIDER), .MHZ(MHZ), .LIST_LOG(LIST_LOG), .LAYERS(LAYERS),
    .WORDS(WORDS), .WEIGHT_BITS(WEIGHT_BITS), .RATE_BITS(RATE_BITS),
    .SIGNATURE(SIGNATURE)
  ) own (
    .clock, .reset, .receive(ftdi_txd), .transmit(ftdi_rxd), .busy,
    .command({sdram_rasn, sdram_casn, sdram_wen}), .bank(sdram_ba),
    .pins(sdram_a), .dq_out, .dq_drive, .dq_in);

  // The SDRAM has the inverted clock, so that its pins are stable when it rises,
  // and its words in the middle of a clock.
  ODDRX1F inverted (
    .SCLK(clock), .RST(1'b0), .D0(1'b0), .D1(1'b1), .Q(sdram_clk));
  always_ff @(negedge clock) dq_in <= sdram_d;
  assign sdram_d = dq_drive ? dq_out : 'z;
  assign {sdram_cke, sdram_csn, sdram_dqm} = 4'b1000;

  assign wifi_gpio0 = 1'b1;  // or the ESP32 may load another bitstream
  // Lit: clock, the chip is busy, bytes from and to the host.
  assign led = {4'b0, !ftdi_rxd, !ftdi_txd, busy, locked};

endmodule
