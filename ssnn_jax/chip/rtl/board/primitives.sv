// Primitives of an ECP5, as far as `ulx3s` needs them in simulation, where wires
// and pins take no time. A clock of the SDRAM in the second half of that of the
// board is at its end, one in the first half in its middle, too early for words.
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off DECLFILENAME */
module EHXPLLL #(
  parameter int CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOP_CPHASE = 0,
  parameter int CLKOP_FPHASE = 0, CLKOS_DIV = 8, CLKOS_CPHASE = 0,
  parameter int CLKOS_FPHASE = 0, CLKOS2_DIV = 8, CLKOS2_CPHASE = 0,
  parameter int CLKOS2_FPHASE = 0,
  parameter CLKOP_ENABLE = "", CLKOS_ENABLE = "", CLKOS2_ENABLE = "",
  parameter FEEDBK_PATH = "", OUTDIVIDER_MUXA = "", OUTDIVIDER_MUXB = "",
  parameter OUTDIVIDER_MUXC = "", PLLRST_ENA = "", INTFB_WAKE = "",
  parameter STDBY_ENABLE = "", DPHASE_SOURCE = ""
) (
  input  logic CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR,
  input  logic PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
  output logic CLKOP, CLKOS, CLKOS2, LOCK
);

  localparam int PERIOD = 8 * CLKOS2_DIV;
  int phase = (8 * (CLKOS2_CPHASE - CLKOS_CPHASE) + CLKOS2_FPHASE) % PERIOD;
  assign {CLKOP, CLKOS, LOCK} = {CLKI, CLKI, 1'b1};
  assign CLKOS2 = phase < PERIOD / 2 ? !CLKI : CLKI;
  always @(negedge PHASESTEP) phase <= (phase + 1) % PERIOD;

endmodule
module ODDRX1F (
  input  logic SCLK, RST, D0, D1,
  output logic Q
);

  assign Q = SCLK ? D0 : D1;

endmodule
module OFS1P3BX (
  input  logic D, SP, SCLK, PD,
  output logic Q
);

  initial Q = 1'b1;
  always_ff @(posedge SCLK) Q <= D;

endmodule
module IFS1P3DX (
  input  logic D, SP, SCLK, CD,
  output logic Q
);

  always_ff @(posedge SCLK) Q <= D;

endmodule
module BB (
  input  logic I, T,
  output logic O,
  inout  wire  B
);

  assign B = T ? 1'bz : I;
  assign O = B;

endmodule
