// Output neurons: the answer, and the winners of T ticks by lateral inhibition.
//
// The drives leave the synapses one in a clock. The largest is the answer. To
// learn, each is as far below it as an entry of a table of exponentials; a
// systematic sample of T winners has one random phase of their total: class c
// wins the ticks k with cum(c - 1) <= (k + phase) total / T < cum(c). Its error is
// what it wins, less T of the label.
module classes #(
  parameter int CLASSES = 10,
  parameter int WIDTH = 3,                  // of a slice
  parameter int TICKS_LOG = 3, FRACTION_BITS = 11, DRIVE_BITS = 22,
  parameter int DELAY = 6, ERROR_BITS = 5, EXP_BITS = 10,
  parameter logic [256*EXP_BITS-1:0] EXPONENTIALS = '0   // of -k / 32
) (
  input  logic clock, reset, start,
  output logic [4:0] pick,                 // of a drive
  output logic [7:0] slice,
  input  logic signed [DRIVE_BITS-1:0] drive,   // DELAY clocks later
  input  logic [7:0] label,
  input  logic [15:0] phase,               // of 2^16
  output logic done,
  output logic [7:0] answer,
  output logic error_valid,
  output logic [9:0] error_address,
  output logic [ERROR_BITS-1:0] error
);

  localparam int TICKS = 2 ** TICKS_LOG;
  localparam int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1;
  localparam int TOTAL_BITS = EXP_BITS + $clog2(CLASSES + 1);
  localparam int SUM_BITS = TOTAL_BITS + TICKS_LOG + 1;
  localparam int SHIFT = TICKS_LOG + FRACTION_BITS - 5;

  typedef enum logic [2:0] {IDLE, DRIVES, TABLE, PHASE, WALK, LAST} state_t;
  state_t state;
  logic [7:0] count, class_;               // of clocks, or class
  logic signed [DRIVE_BITS-1:0] best;
  logic signed [DRIVE_BITS-1:0] drives[2 ** CLASS_BITS];
  logic [EXP_BITS-1:0] table_[256], worths[2 ** CLASS_BITS];
  initial
    for (int k = 0; k < 256; k++)
      table_[k] = EXPONENTIALS[EXP_BITS * k +: EXP_BITS];

  logic [2:0] valid;                       // of the table
  logic [7:0] index2;
  logic [CLASS_BITS-1:0] classes1, classes2, classes3;
  logic [DRIVE_BITS:0] below1;
  logic is_far2;
  logic [EXP_BITS-1:0] worth3;
  logic [TOTAL_BITS-1:0] total;
  logic [TOTAL_BITS+15:0] product;
  logic [SUM_BITS-1:0] threshold, cumulative;
  logic [ERROR_BITS-1:0] wins;
  logic wins_now, has_label;
  assign class_ = count - 8'(DELAY);       // of the drive
  assign has_label = label < 8'(CLASSES);
  assign wins_now = threshold < cumulative;

  always_ff @(posedge clock) begin
    done <= 1'b0;
    error_valid <= 1'b0;
    count <= count + 1'b1;
    pick <= pick == 5'(WIDTH - 1) ? '0 : pick + 1'b1;
    slice <= slice + 8'(pick == 5'(WIDTH - 1));

    // The table, a class in a clock.
    valid <= {valid[1:0], state == TABLE && count < 8'(CLASSES)};
    below1 <= (DRIVE_BITS+1)'(best)
      - (DRIVE_BITS+1)'(drives[count[CLASS_BITS-1:0]]);
    classes1 <= count[CLASS_BITS-1:0];
    index2 <= 8'(below1 >> SHIFT);
    is_far2 <= (below1 >> SHIFT) > 255;
    classes2 <= classes1;
    worth3 <= is_far2 ? '0 : table_[index2];
    classes3 <= classes2;
    if (valid[2]) begin
      worths[classes3] <= worth3;
      total <= total + TOTAL_BITS'(worth3);
    end
    product <= (TOTAL_BITS+16)'(total) * (TOTAL_BITS+16)'(phase);

    case (state)
      IDLE: begin
        count <= '0;
        pick <= '0;
        slice <= '0;
        total <= '0;
        if (start) state <= DRIVES;
      end
      DRIVES: begin
        if (count >= 8'(DELAY)) begin
          drives[class_[CLASS_BITS-1:0]] <= drive;
          if (class_ == '0 || drive > best) begin
            best <= drive;
            answer <= class_;
          end
        end
        if (count == 8'(CLASSES + DELAY - 1)) begin
          count <= '0;
          state <= has_label ? TABLE : LAST;
        end
      end
      TABLE: if (count == 8'(CLASSES + 4)) state <= PHASE;
      PHASE: begin
        threshold <= SUM_BITS'(product >> 16);
        cumulative <= SUM_BITS'(worths[0]) << TICKS_LOG;
        wins <= '0;
        count <= '0;
        state <= WALK;
      end
      WALK: begin
        count <= count;
        if (wins_now) begin
          wins <= wins + 1'b1;
          threshold <= threshold + SUM_BITS'(total);
        end else begin
          error_valid <= 1'b1;
          error_address <= 10'(count);
          error <= wins - (count == label ? ERROR_BITS'(TICKS) : '0);
          wins <= '0;
          count <= count + 1'b1;
          cumulative <= cumulative
            + (SUM_BITS'(worths[CLASS_BITS'(count + 1'b1)]) << TICKS_LOG);
          if (count == 8'(CLASSES - 1)) state <= LAST;
        end
      end
      default: begin
        done <= 1'b1;
        state <= IDLE;
      end
    endcase

    if (reset) begin
      state <= IDLE;
      valid <= '0;
    end
  end

endmodule
