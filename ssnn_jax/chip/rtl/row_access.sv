// Access of the host to a row of weights, while no sample is presented.
//
// A row that is read is added to sums of 0, from which its weights leave one
// after another. A weight that is written replaces that of the selected column
// while the row passes through the synapses.
module row_access #(
  parameter int LAYERS = 2,
  parameter logic [32*(LAYERS+1)-1:0] SIZES = {32'd10, 32'd16, 32'd64},
  parameter int WIDTH = 3, WEIGHT_BITS = 12
) (
  input  logic clock, reset,
  input  logic idle,  // no sample is presented
  input  logic row_valid,
  output logic row_ready,
  input  logic row_write,
  input  logic [1:0] row_layer,
  input  logic [15:0] row_index,
  input  logic weight_in_valid,
  output logic weight_in_ready,
  input  logic [WEIGHT_BITS-1:0] weight_in_data,
  output logic weight_out_valid,
  input  logic weight_out_ready,
  output logic [WEIGHT_BITS-1:0] weight_out_data,
  // To the synapses of the layer, and from their chosen column.
  output logic active,
  output logic [LAYERS-1:0] layers,  // one of them
  output logic [15:0] row,
  output logic present,              // the row, and select the column
  output logic level,                // and then of the totals
  output logic load,                 // the weight
  output logic [WEIGHT_BITS-1:0] weight,
  output logic [4:0] pick,           // of the slice
  output logic [9:0] slice,
  output logic clear,
  input  logic [WEIGHT_BITS*LAYERS-1:0] chosen
);

  // Clocks of a row through the synapses, and of a head that is sent as well.
  localparam logic [4:0] WRITE = 5'd9, READ = 5'd24;
  typedef enum logic [2:0] {IDLE, START, FILL, ROW, LEVEL, WAIT, DRAIN, LAST}
    state_t;
  state_t state;
  logic [15:0] left;                      // weights of the row
  logic [4:0] delay;
  logic [WEIGHT_BITS-1:0] own;
  logic writes, step, is_last;

  // A new request ends that of a row that is not complete.
  assign row_ready =
    idle && (state == IDLE || state == FILL || state == DRAIN);
  assign active = state != IDLE;
  assign load = active && writes;
  assign clear = state == START;
  assign present = state == ROW;
  assign level = state == LEVEL;
  assign weight_in_ready = state == FILL && !row_valid;
  assign weight_out_valid = state == DRAIN && !row_valid;
  assign step = (weight_out_valid && weight_out_ready)
    || (state == WAIT && delay == '0 && writes);
  always_comb begin
    own = '0;
    for (int l = 0; l < LAYERS; l++)
      if (layers[l]) own = chosen[WEIGHT_BITS * l +: WEIGHT_BITS];
  end
  assign is_last = pick == 5'(WIDTH - 1);

  always_ff @(posedge clock) begin
    delay <= delay - 5'(delay != '0);
    if (state == WAIT) weight_out_data <= own;
    case (state)
      START: begin
        for (int l = 0; l < LAYERS; l++)
          if (layers[l]) left <= SIZES[32 * (l + 1) +: 16];
        pick <= '0;
        slice <= '0;
        state <= layers == '0 ? IDLE : writes ? FILL : ROW;
      end
      IDLE, FILL, DRAIN: if (row_valid && row_ready) begin
        writes <= row_write;
        for (int l = 0; l < LAYERS; l++) layers[l] <= row_layer == 2'(l);
        row <= row_index;
        state <= START;
      end else if (weight_in_valid && weight_in_ready) begin
        weight <= weight_in_data;
        state <= ROW;
      end
      ROW: state <= LEVEL;
      LEVEL: begin
        delay <= writes ? WRITE : READ;
        state <= WAIT;
      end
      WAIT: if (delay == '0 && !writes) state <= DRAIN;
      default: state <= IDLE;
    endcase
    if (step) begin
      pick <= is_last ? '0 : pick + 1'b1;
      slice <= slice + 10'(is_last);
      left <= left - 1'b1;
      delay <= READ;
      state <= left == 16'd1 ? LAST : writes ? FILL : WAIT;
    end
    if (reset) begin
      state <= IDLE;
      delay <= '0;
    end
  end

endmodule
