// The chip on a ULX3S: its clock, reset button, LEDs and serial line over USB.

module ulx3s #(
  // Clock of the chip: 25 MHz * MULTIPLY / DIVIDE_INPUT, whose oscillator runs
  // DIVIDE_OUTPUT times as fast, at 400 to 800 MHz.
  parameter int DIVIDE_INPUT = 1,
  parameter int MULTIPLY = 2,
  parameter int DIVIDE_OUTPUT = 12,
  // As of `board`.
  parameter int DIVIDER = 17,
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int STEPS = 64,
  parameter int WEIGHT_BITS = 12,
  parameter logic [31:0] SIGNATURE = '0
) (
  input  logic       clk_25mhz,
  input  logic       ftdi_txd,  // from the host
  output logic       ftdi_rxd,  // to the host
  input  logic       fire,      // button 1: reset
  output logic [7:0] led,
  output logic       wifi_gpio0
);

  logic clock, locked, busy;
  logic [2:0] resets = '1;   // also if the PLL locks before the first clock

  EHXPLLL #(
    .CLKI_DIV(DIVIDE_INPUT), .CLKFB_DIV(MULTIPLY), .CLKOP_DIV(DIVIDE_OUTPUT),
    .CLKOP_CPHASE(DIVIDE_OUTPUT - 1), .CLKOP_FPHASE(0),
    .CLKOP_ENABLE("ENABLED"), .FEEDBK_PATH("CLKOP"),
    .OUTDIVIDER_MUXA("DIVA"), .PLLRST_ENA("DISABLED"),
    .INTFB_WAKE("DISABLED"), .STDBY_ENABLE("DISABLED"),
    .DPHASE_SOURCE("DISABLED")
  ) pll (
    .CLKI(clk_25mhz), .CLKFB(clock), .CLKOP(clock), .LOCK(locked), .RST(1'b0),
    .STDBY(1'b0), .PHASESEL0(1'b0), .PHASESEL1(1'b0), .PHASEDIR(1'b1),
    .PHASESTEP(1'b1), .PHASELOADREG(1'b1), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0));

  always_ff @(posedge clock) resets <= {resets[1:0], fire || !locked};

  board #(
    .DIVIDER(DIVIDER), .LAYERS(LAYERS), .SIZES(SIZES), .STEPS(STEPS),
    .WEIGHT_BITS(WEIGHT_BITS), .SIGNATURE(SIGNATURE)
  ) own (
    .clock, .reset(resets[2]), .receive(ftdi_txd), .transmit(ftdi_rxd), .busy);

  assign wifi_gpio0 = 1'b1;  // or the ESP32 may load another bitstream
  // Lit: clock, the chip is busy, bytes from and to the host.
  assign led = {4'b0, !ftdi_rxd, !ftdi_txd, busy, locked};

endmodule
