// Classes: their winner, errors and votes, one class in a clock.
//
// The winner has the largest drive plus Gumbel noise, k times an entry of a
// table if the drive is the sum of k ticks: the mean drive and noise, without a
// division. It is class c with the probability softmax(mean drive)_c. Without a
// label nothing errs, and there is no noise. Of equal classes, the first wins.
// The pass after a tick finds the winner of the next one.
module class_pass #(
  parameter int CLASSES = 10,
  parameter int DRIVE_BITS = 17,
  parameter int TICK_BITS = 7,
  parameter int NOISE_BITS = 12,
  parameter logic [256*NOISE_BITS-1:0] GUMBEL = '0,
  // Derived; leave them.
  parameter int WORDS = (CLASSES + 3) / 4,
  parameter logic [32*WORDS-1:0] SEEDS = '1
) (
  input  logic                         clock,
  input  logic                         reset,
  input  logic                         start,
  input  logic                         first,     // tick of a sample
  input  logic                         scan,
  input  logic                         scanned,
  output logic                         shift,
  output logic                         done,
  input  logic [DRIVE_BITS-1:0]        drive_in,
  // Of the next tick, that of the winner:
  input  logic                         late,      // k grows, classes err
  input  logic                         vote,
  input  logic [7:0]                   label,     // no class: no errors
  output logic [2*CLASSES-1:0]         errors,
  output logic [CLASSES*TICK_BITS-1:0] votes
);

  localparam int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1;
  localparam int STATE_BITS = DRIVE_BITS + TICK_BITS;
  localparam int PRODUCT_BITS = NOISE_BITS + TICK_BITS;
  localparam int SCORE_BITS =
    (STATE_BITS > PRODUCT_BITS ? STATE_BITS : PRODUCT_BITS + 1) + 1;

  // The pass: a class in a clock, through stages 0 to 3.
  logic waiting, begins, finishes;
  logic [4:0] valid;
  logic [7:0] count, class0, class1, class2, class3;
  assign begins = waiting && scanned;
  assign finishes = valid[4:3] == 2'b10;
  always_ff @(posedge clock) begin
    waiting <= scan || (waiting && !scanned);
    shift <= begins || (shift && count != 8'(CLASSES - 1));
    count <= shift ? count + 1'b1 : '0;
    valid <= {valid[3:0], shift};
    class0 <= count;
    class1 <= class0;
    class2 <= class1;
    class3 <= class2;
    done <= finishes || (done && !scan);
    if (reset) begin
      waiting <= 1'b0;
      shift <= 1'b0;
      valid <= '0;
      done <= 1'b0;
    end
  end

  // Random bytes: a ring of registers, which step as they pass its head.
  logic turn;
  logic [32*WORDS-1:0] ring;
  logic [31:0] stepped, word;
  xorshift next (.word(ring[31:0]), .stepped);
  assign turn = begins
    || (shift && count[1:0] == 2'd3 && count != 8'(CLASSES - 1));
  always_ff @(posedge clock) begin
    word <= turn ? stepped : word >> 8;
    if (reset) ring <= SEEDS;
    else if (turn) ring <= (32*WORDS)'({stepped, ring} >> 32);
  end

  // Drives, and scores: the largest wins.
  logic [NOISE_BITS-1:0] quantiles[256], noise0, noise1;
  initial
    for (int a = 0; a < 256; a++)
      quantiles[a] = GUMBEL[NOISE_BITS * a +: NOISE_BITS];
  logic signed [STATE_BITS-1:0] drives[CLASSES];
  logic signed [DRIVE_BITS-1:0] change1;
  logic signed [STATE_BITS-1:0] drive1, drive2;
  logic signed [SCORE_BITS-1:0] score3, best;
  logic [PRODUCT_BITS-1:0] product2;
  logic [TICK_BITS-1:0] ticks;
  logic [7:0] winner;
  logic has_label;
  assign has_label = label < 8'(CLASSES);
  always_ff @(posedge clock) begin
    noise0 <= quantiles[word[7:0]];
    noise1 <= has_label ? noise0 : '0;
    change1 <= drive_in;
    drive1 <= first ? '0 : drives[class0[CLASS_BITS-1:0]];
    drive2 <= drive1 + STATE_BITS'(change1);
    product2 <= PRODUCT_BITS'(noise1) * PRODUCT_BITS'(ticks);
    if (valid[2]) drives[class2[CLASS_BITS-1:0]] <= drive2;
    score3 <= SCORE_BITS'(drive2) + $signed(SCORE_BITS'(product2));
    if (valid[3] && (class3 == '0 || score3 > best)) begin
      best <= score3;
      winner <= class3;
    end
    if (start) ticks <= 1;
    else if (finishes && late) ticks <= ticks + 1'b1;
  end

  always_ff @(posedge clock)
    for (int c = 0; c < CLASSES; c++)
      if (reset || start)
        errors[2 * c +: 2] <= '0;
      else if (finishes)
        errors[2 * c +: 2] <= late && has_label
          ? 2'(winner == 8'(c)) - 2'(label == 8'(c)) : 2'd0;

  always_ff @(posedge clock)
    for (int c = 0; c < CLASSES; c++)
      if (reset || start)
        votes[TICK_BITS * c +: TICK_BITS] <= '0;
      else if (finishes && vote)
        votes[TICK_BITS * c +: TICK_BITS] <=
          votes[TICK_BITS * c +: TICK_BITS] + TICK_BITS'(winner == 8'(c));

endmodule
