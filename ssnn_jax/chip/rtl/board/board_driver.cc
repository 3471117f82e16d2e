// Simulation of the board for Python: bytes to and from its serial line, which
// is driven bit by bit.

#include <cstdint>
#include <deque>

#include "Vboard_sim.h"

namespace {

struct Board {
  VerilatedContext context;
  Vboard_sim top{&context};
  int divider;                   // clocks of a bit
  std::deque<uint8_t> sent, received;
  int frame = 0, bits = 0, left = 0;              // to the board
  int arrived = 0, arrived_bits = 0, middle = 0;  // from the board
  int64_t clocks = 0;

  void clock() {
    ++clocks;
    top.clock = 1;
    top.eval();
    top.clock = 0;
    send();
    top.eval();
    receive();
  }

  void send() {
    if (left > 0) {
      --left;
    } else if (bits > 0) {
      top.receive = frame & 1;
      frame >>= 1;
      --bits;
      left = divider - 1;
    } else if (!sent.empty()) {
      frame = (0x200 | sent.front() << 1);
      sent.pop_front();
      bits = 10;
      send();
    }
  }

  void receive() {
    if (arrived_bits == 0) {
      if (top.transmit) return;
      arrived_bits = 10;
      middle = divider / 2;
    } else if (--middle == 0) {
      middle = divider;
      arrived = arrived >> 1 | top.transmit << 9;
      if (--arrived_bits == 0) received.push_back(arrived >> 1 & 0xff);
    }
  }
};

}  // namespace

extern "C" {

Board* board_new(int divider) {
  Board* board = new Board{.divider = divider};
  board->top.receive = 1;
  board->top.reset = 1;
  board->top.clock = 0;
  board->top.eval();  // an edge is a change since the last eval
  for (int n = 0; n < 4; ++n) board->clock();
  board->top.reset = 0;
  return board;
}

void board_delete(Board* board) { delete board; }

void board_send(Board* board, const uint8_t* bytes, int size) {
  board->sent.insert(board->sent.end(), bytes, bytes + size);
}

// Runs the clock until bytes have arrived; returns how many, all but at a limit
// of clocks.
int board_receive(Board* board, uint8_t* bytes, int size, int64_t clocks) {
  for (; clocks > 0 && board->received.size() < size; --clocks) board->clock();
  int count = 0;
  for (; count < size && !board->received.empty(); ++count) {
    bytes[count] = board->received.front();
    board->received.pop_front();
  }
  return count;
}

// Sends what waits, holds the line for 30 bits, and leaves it idle for as many.
void board_break(Board* board) {
  while (board->bits > 0 || board->left > 0 || !board->sent.empty())
    board->clock();
  for (int level = 0; level < 2; ++level) {
    board->top.receive = level;
    for (int n = 0; n < 30 * board->divider; ++n) board->clock();
  }
}

int64_t board_clocks(Board* board) { return board->clocks; }

// Returns whether the board has broken a rule of its SDRAM.
int board_broken(Board* board) { return board->top.broken; }

}  // extern "C"
