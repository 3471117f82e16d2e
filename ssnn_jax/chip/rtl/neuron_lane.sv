// Neurons of the columns of a slice, one in a clock.
//
// In a pass, the drive of each neuron arrives, and it integrates and fires:
// it spikes in the next tick if its residue is above 1/2, and sends an error
// spike of +-1 to 3 for each unit of the error that it has not sent. Residues
// and errors are stored less what is sent.
(* keep_hierarchy *)
module neuron_lane #(
  parameter int WIDTH = 18,
  parameter int BANKS = 2,
  parameter int DRIVE_BITS = 19,
  parameter int CURRENT_BITS = 13,
  parameter int TICK_BITS = 7,
  parameter int FRACTION_BITS = 8,
  parameter int WORTH_BITS = 8,           // of an error spike: 2^WORTH_BITS
  // Derived; leave them.
  parameter int LIMIT_BITS = TICK_BITS + FRACTION_BITS,
  parameter int STATE_BITS =
    TICK_BITS + (DRIVE_BITS > FRACTION_BITS ? DRIVE_BITS : FRACTION_BITS + 1),
  parameter int UNSENT_BITS = CURRENT_BITS + TICK_BITS > WORTH_BITS + 3
    ? CURRENT_BITS + TICK_BITS : WORTH_BITS + 3,
  parameter int WORD_BITS = $clog2(WIDTH / BANKS)
) (
  input  logic                          clock,
  input  logic                          clear,    // before a sample
  input  logic                          first,    // tick of a sample
  input  logic                          shift,    // the pass
  input  logic [DRIVE_BITS-1:0]         drive_in,
  input  logic [LIMIT_BITS-1:0]         limit,    // of the drive so far
  input  logic                          current_write,
  input  logic [WORD_BITS-1:0]          current_address,
  input  logic [BANKS*CURRENT_BITS-1:0] currents_in,
  output logic                          spike,    // at stage 3
  output logic [3*WIDTH-1:0]            errors    // of each neuron, -3 to 3
);

  localparam int HALF_BITS = WORTH_BITS - 1;

  // Error currents of all neurons, as the rows of the layer above are read.
  (* keep *) logic own_write;
  (* keep *) logic [WORD_BITS-1:0] own_address;
  (* keep *) logic [BANKS*CURRENT_BITS-1:0] own_currents;
  logic [BANKS*CURRENT_BITS-1:0] currents[WIDTH / BANKS];
  always_ff @(posedge clock) begin
    own_write <= current_write;
    own_address <= current_address;
    own_currents <= currents_in;
    if (own_write) currents[own_address] <= own_currents;
  end

  // Stages 1 to 6 of a neuron; its index at the stages that use memories.
  (* keep *) logic own_clear, own_first, own_shift;
  (* keep *) logic [LIMIT_BITS-1:0] own_limit;
  logic [5:1] valid;
  logic [$clog2(WIDTH)-1:0] index0, index3, index5;
  always_ff @(posedge clock) begin
    own_clear <= clear;
    own_first <= first;
    own_limit <= limit;
    own_shift <= shift;
    valid <= {valid[4:1], own_shift};
    index0 <= own_shift ? index0 + 1'b1 : '0;
    index3 <= valid[3] ? index3 + 1'b1 : '0;
    index5 <= valid[5] ? index5 + 1'b1 : '0;
    if (own_clear) valid <= '0;
  end

  logic signed [STATE_BITS-1:0] residues[WIDTH], drives[WIDTH];
  logic signed [UNSENT_BITS-1:0] unsent[WIDTH];
  logic signed [DRIVE_BITS-1:0] change1;
  logic signed [STATE_BITS-1:0] residue1, residue2, residue3;
  logic signed [STATE_BITS-1:0] drive1, drive2, drive3;
  logic signed [UNSENT_BITS-1:0] error1, error2, error3, error4, error5;
  logic signed [UNSENT_BITS-1:0] open2, rounded4;
  logic signed [CURRENT_BITS-1:0] current1;
  logic signed [2:0] number5;
  logic [1:0] number4;
  logic [UNSENT_BITS-1:0] halves4;

  always_ff @(posedge clock) begin
    change1 <= drive_in;
    residue1 <= own_first ? '0 : residues[index0];
    drive1 <= own_first ? '0 : drives[index0];
    error1 <= own_first ? '0 : unsent[index0];
    current1 <= currents[WORD_BITS'(index0 / BANKS)][
      CURRENT_BITS * (BANKS == 2 && index0[0]) +: CURRENT_BITS];

    residue2 <= residue1 + STATE_BITS'(change1);
    drive2 <= drive1 + STATE_BITS'(change1);
    error2 <= error1;
    open2 <= error1 + UNSENT_BITS'(current1);

    residue3 <= residue2;
    spike <= residue2 > $signed(STATE_BITS'(1) << (FRACTION_BITS - 1));
    drive3 <= drive2;
    error3 <= drive2 > 0 && drive2 < $signed(STATE_BITS'(own_limit))
      ? open2 : error2;

    if (valid[3]) begin
      residues[index3] <= spike
        ? residue3 - $signed(STATE_BITS'(1) << FRACTION_BITS) : residue3;
      drives[index3] <= drive3;
    end
    error4 <= error3;
    rounded4 <= error3 < 0 ? error3 : error3 - 1'b1;

    error5 <= error4;
    number5 <= rounded4 < 0 ? -$signed({1'b0, number4})
      : $signed({1'b0, number4});

    if (valid[5])
      unsent[index5] <= error5 - (UNSENT_BITS'(number5) <<< WORTH_BITS);
    if (own_clear) errors <= '0;
    else if (valid[5]) errors <= {number5, errors[3*WIDTH-1:3]};
  end

  // |error| is above 1, 3 and 5 halves of a worth; its magnitude less 1 counts.
  assign halves4 = (rounded4 < 0 ? ~rounded4 : rounded4) >> HALF_BITS;
  always_comb
    if (halves4 >= 5) number4 = 2'd3;
    else if (halves4 >= 3) number4 = 2'd2;
    else number4 = {1'b0, halves4 != '0};

endmodule
