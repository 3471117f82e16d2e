// Order of the phases of a sample.
//
// Layer by layer, from the inputs up: rows are scanned, then the neurons pass,
// and their counts are the rows above. Classes pass last. Downwards: rows learn,
// and their currents are the errors below. In the open mode scans are replaced
// by single spikes, and layers pass and send whenever some arrived. Counts may
// stand from the sample before; they are scanned first, unless sums stand, too.
module schedule #(
  parameter int LAYERS = 2, TICKS_LOG = 3,
  parameter int WIDTH = 3, INPUT_GROUPS = 9,
  parameter int TREE_STAGES = 5, DIGITS = 2,  // of a row to the errors below
  parameter logic [31:0] SEED = 1
) (
  input  logic clock, reset,
  input  logic start,        // a sample
  input  logic [8:0] sample_label,  // bit 8: its counts stand
  input  logic open,         // or the open mode
  input  logic event_valid,
  output logic event_ready,
  input  logic event_last,
  input  logic [8:0] event_label,
  input  logic cleared,      // sums, by the host
  output logic idle, finish, opened,
  output logic [7:0] label,
  output logic [31:0] word,  // random
  // Layers.
  output logic [LAYERS-1:0] begins,    // groups are asked for
  output logic [LAYERS-1:0] levels,    // of single spikes
  output logic [LAYERS-1:0] passes,    // a neuron of each slice, `count`
  output logic [LAYERS-1:0] sends,     // single spikes
  output logic clear,                  // sums and errors of all layers
  output logic drained,                // totals are in the sums
  output logic classify, learning,
  output logic blank,                  // the group `count` of the inputs
  output logic bias,                   // a spike of it
  output logic edit,                   // a count, by a spike of an input
  output logic [11:0] count,           // clocks of the phase, up to all ones
  input  logic [LAYERS-1:0] scanning,
  input  logic [LAYERS-1:0] pending,   // columns that err
  input  logic [LAYERS-1:0] sending,
  input  logic classified
);

  // Clocks of the last row to its sums and memory, from there to the errors that
  // are pending, of a drive to the rows of the layer above, and of a spike of an
  // input to read, change and write its count.
  localparam logic [11:0] DRAIN_STAGES = 12'd6;
  localparam logic [11:0] SETTLE_STAGES = 12'(TREE_STAGES + 3 * DIGITS + 5);
  localparam logic [11:0] ERROR_STAGES = 12'd4;   // of a class to its column
  localparam logic [11:0] PASS_STAGES = 12'd6;
  localparam logic [11:0] EDIT_STAGES = 12'd4;
  localparam logic [3:0] MOST_EVENTS = 4'd7;   // between two passes

  typedef enum logic [3:0] {
    IDLE, BEGIN, WAIT, LEVEL, DRAIN, PASS, PASSED, CLASS, SETTLE, FINISH,
    BLANK, BIAS, OPEN, EDIT, SEND
  } state_t;
  state_t state;
  logic [1:0] layer;
  logic [3:0] events;
  logic [31:0] stepped;
  logic [LAYERS-1:0] own;
  logic is_last, changed, ended;
  logic scans;                         // layers, or single spikes arrive
  logic counts_stand, sums_stand;
  xorshift next (.word, .stepped);

  assign is_last = 32'(layer) == LAYERS - 1;
  assign idle = state == IDLE;
  assign finish = state == FINISH;
  assign begins = state == BEGIN ? own : '0;
  assign levels = state == LEVEL ? own : '0;
  assign passes = state == PASS ? own : '0;
  assign sends = state == SEND && count == '0 ? own : '0;
  assign clear = idle && (start || (open && !(counts_stand && sums_stand)));
  assign drained = state == DRAIN && count == DRAIN_STAGES;
  assign classify = state == CLASS && count == '0;
  assign blank = state == BLANK;
  assign bias = state == BIAS;
  assign edit = state == EDIT && count == '0;
  assign event_ready = state == OPEN && events < MOST_EVENTS;
  always_comb
    for (int l = 0; l < LAYERS; l++) own[l] = layer == 2'(l);

  always_ff @(posedge clock) begin
    count <= count + 12'(count != '1);
    case (state)
      IDLE: begin
        layer <= '0;
        learning <= 1'b0;
        count <= '0;
        events <= '0;
        {changed, ended} <= '0;
        scans <= 1'b1;
        if (start) begin
          {counts_stand, label} <= sample_label;
          opened <= 1'b0;
          state <= BEGIN;
        end else if (open) begin
          opened <= 1'b1;
          state <= !counts_stand ? BLANK : sums_stand ? OPEN : BEGIN;
        end
        if (start || open) word <= stepped;
      end
      BEGIN: state <= WAIT;
      WAIT: if ((scanning & own) == '0) begin
        count <= '0;
        state <= DRAIN;
      end
      LEVEL: begin
        count <= '0;
        state <= DRAIN;
      end
      DRAIN: if (drained) begin
        count <= '0;
        if (!learning)
          state <= !is_last ? PASS : opened && !ended ? OPEN : CLASS;
        else if (layer == '0) state <= FINISH;
        else begin
          layer <= layer - 1'b1;
          state <= SETTLE;
        end
      end
      PASS: if (count == 12'(WIDTH - 1)) begin
        count <= '0;
        state <= PASSED;
      end
      PASSED: if (count == PASS_STAGES) begin
        count <= '0;
        layer <= layer + 1'b1;
        state <= scans ? BEGIN : SEND;
      end
      CLASS: if (classified) begin
        word <= stepped;
        count <= SETTLE_STAGES - ERROR_STAGES;
        state <= SETTLE;
      end
      SETTLE: if (count == SETTLE_STAGES) begin
        learning <= learning || (pending & own) != '0;
        state <= (pending & own) != '0 ? BEGIN : FINISH;
      end
      FINISH: begin
        sums_stand <= !learning;
        state <= IDLE;
      end
      BLANK: if (count == 12'(INPUT_GROUPS - 1)) begin
        count <= '0;
        state <= BIAS;
      end
      BIAS: if (count == 12'(2 ** TICKS_LOG - 1)) begin
        changed <= 1'b1;
        state <= OPEN;
      end
      OPEN: begin
        count <= '0;
        layer <= '0;
        scans <= 1'b0;
        if (event_valid && event_ready) begin
          ended <= event_last;
          if (event_last) {counts_stand, label} <= event_label;
          else begin
            changed <= 1'b1;
            events <= events + 1'b1;
          end
          state <= event_last ? LEVEL : EDIT;
        end else if (changed) state <= LEVEL;
      end
      EDIT: if (count == EDIT_STAGES - 1'b1) state <= OPEN;
      SEND: if (count != '0 && (sending & own) == '0) begin
        count <= '0;
        changed <= 1'b0;
        events <= '0;
        state <= LEVEL;
      end
      default: state <= IDLE;
    endcase
    if (cleared) sums_stand <= 1'b0;
    if (reset) begin
      state <= IDLE;
      counts_stand <= 1'b0;
      word <= SEED;
    end
  end

endmodule
