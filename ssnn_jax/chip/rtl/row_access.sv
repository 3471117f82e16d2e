// Access of the host to a row of weights, while no sample is presented.
//
// The sums of the slices are a shift register through all columns of a layer:
// a row that is read is added to sums of 0, which are then shifted out; a row
// to write is shifted in, and stored in place of the row in the memory.
module row_access #(
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int WEIGHT_BITS = 12
) (
  input  logic                          clock,
  input  logic                          reset,
  input  logic                          idle,       // no sample is presented
  input  logic                          row_valid,
  output logic                          row_ready,
  input  logic                          row_write,
  input  logic [1:0]                    row_layer,
  input  logic [15:0]                   row_index,
  input  logic                          weight_in_valid,
  output logic                          weight_in_ready,
  input  logic [WEIGHT_BITS-1:0]        weight_in_data,
  output logic                          weight_out_valid,
  input  logic                          weight_out_ready,
  output logic [WEIGHT_BITS-1:0]        weight_out_data,
  // To the synapses, and from their first columns.
  output logic                          active,
  output logic                          load,
  output logic                          clear,
  output logic [LAYERS-1:0]             selected,   // layer
  output logic                          access,     // the row enters the pipe
  output logic [15:0]                   row,
  output logic                          shift,
  output logic [WEIGHT_BITS-1:0]        weight_in,
  input  logic [WEIGHT_BITS*LAYERS-1:0] heads
);

  typedef enum logic [2:0] {IDLE, CLEAR, FILL, ROW, WAIT, DRAIN, LAST} state_t;
  state_t state;
  logic [15:0] left;                      // weights of the row
  logic [3:0] delay;
  logic [1:0] layer;
  logic writes;

  assign row_ready = idle && state == IDLE;
  assign active = state != IDLE;
  assign load = active && writes;
  assign clear = state == CLEAR || state == LAST;
  assign access = state == ROW;
  assign weight_in_ready = state == FILL;
  assign weight_out_valid = state == DRAIN && delay == '0;
  always_comb
    for (int l = 0; l < LAYERS; l++) selected[l] = active && layer == 2'(l);

  always_ff @(posedge clock) begin
    shift <= (weight_in_valid && weight_in_ready)
      || (weight_out_valid && weight_out_ready);
    // What enters while classes leave must be 0.
    weight_in <= weight_in_valid && weight_in_ready ? weight_in_data : '0;
    if (delay != '0) delay <= delay - 1'b1;
    for (int l = 0; l < LAYERS; l++)
      if (layer == 2'(l))
        weight_out_data <= heads[WEIGHT_BITS * l +: WEIGHT_BITS];

    case (state)
      IDLE: if (row_valid && idle) begin
        writes <= row_write;
        layer <= row_layer;
        row <= row_index;
        state <= CLEAR;
      end
      CLEAR: begin
        for (int l = 0; l < LAYERS; l++)
          if (layer == 2'(l)) left <= SIZES[32 * (l + 1) +: 16];
        state <= selected == '0 ? IDLE : writes ? FILL : ROW;
      end
      FILL: if (weight_in_valid) begin
        left <= left - 1'b1;
        if (left == 16'd1) state <= ROW;
      end
      ROW: begin                          // more than the stages of the pipe
        delay <= 4'd9;
        state <= WAIT;
      end
      WAIT: if (delay == '0) state <= writes ? LAST : DRAIN;
      DRAIN: if (weight_out_valid && weight_out_ready) begin
        delay <= 4'd3;                    // until the next one is at the head
        left <= left - 1'b1;
        if (left == 16'd1) state <= LAST;
      end
      default: state <= IDLE;
    endcase

    if (reset) begin
      state <= IDLE;
      shift <= 1'b0;
      delay <= '0;
    end
  end

endmodule
