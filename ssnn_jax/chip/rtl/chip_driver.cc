// Simulation of the chip for Python: verilator's model behind a C interface.
//
// Arrays of ports are raw bits, lowest first, as numpy packs them with
// bitorder='little'.

#include <cstdint>
#include <cstring>

#include "Vchip_top.h"

namespace {

// Ports of up to 64 bits are integers, wider ones are arrays of words.
template <typename Port>
void copy_in(Port& port, const void* bits, int num_bits) {
  std::memcpy(&port, bits, (num_bits + 7) / 8);
}

template <typename Port>
void copy_out(const Port& port, void* bits, int num_bits) {
  std::memcpy(bits, &port, (num_bits + 7) / 8);
}

struct Chip {
  VerilatedContext context;
  Vchip_top top{&context};

  void clock() {
    top.clock = 1;
    top.eval();
    top.clock = 0;
    top.eval();
  }
};

}  // namespace

extern "C" {

Chip* chip_new() {
  Chip* chip = new Chip;
  chip->top.clock = 0;
  chip->top.start = 0;
  chip->top.tick = 0;
  chip->top.weight_shift = 0;
  chip->top.reset = 1;
  chip->top.eval();  // an edge is a change since the last eval
  chip->clock();
  chip->top.reset = 0;
  chip->top.eval();
  return chip;
}

void chip_delete(Chip* chip) { delete chip; }

// Shifts weights `[columns][rows]` into a layer, and the old ones out of it.
// The last row is the first to leave and to enter.
void chip_shift(Chip* chip, int layer, int rows, int columns,
                const int16_t* in, int16_t* out, int weight_bits) {
  auto& top = chip->top;
  const int unused = 16 - weight_bits;
  top.weight_layer = layer;
  top.weight_shift = 1;
  for (int column = 0; column < columns; ++column) {
    top.weight_column = column;
    top.eval();
    for (int row = rows - 1; row >= 0; --row) {
      // The sign bit is moved to the top and back.
      const uint16_t bits = top.weight_out << unused;
      out[column * rows + row] = static_cast<int16_t>(bits) >> unused;
      top.weight_in = in ? in[column * rows + row] & ((1 << weight_bits) - 1)
                         : top.weight_out;
      chip->clock();
    }
  }
  top.weight_shift = 0;
  top.eval();
}

struct Trace {  // of each tick, or null
  uint8_t* spikes;
  uint8_t* errors;
  uint8_t* negative;
  uint8_t* potentials;
  uint8_t* currents;
  uint8_t* winner;
  uint8_t* largest;
};

// Presents one sample; returns the number of clocks.
int chip_present(Chip* chip, int learn, const uint8_t* sample, int label,
                 const uint8_t* enable_rates, uint8_t* votes,
                 uint8_t* largest_votes, const int* num_bits,
                 const Trace* trace) {
  auto& top = chip->top;
  const int sample_bits = num_bits[0], enable_bits = num_bits[1],
            vote_bits = num_bits[2], spike_bits = num_bits[3],
            error_bits = num_bits[4];
  copy_in(top.sample, sample, sample_bits);
  copy_in(top.enable_rates, enable_rates, enable_bits);
  top.label = label;
  top.learn = learn;
  top.start = 1;
  chip->clock();
  top.start = 0;
  top.tick = 1;
  top.eval();
  int clocks = 1;
  while (top.busy) {
    if (trace) {
      const int t = clocks - 1, spike_bytes = (spike_bits + 7) / 8,
                error_bytes = (error_bits + 7) / 8;
      copy_out(top.spikes, trace->spikes + t * spike_bytes, spike_bits);
      copy_out(top.errors, trace->errors + t * error_bytes, error_bits);
      copy_out(top.negative, trace->negative + t * error_bytes, error_bits);
      trace->winner[t] = top.winner;
      trace->largest[t] = top.largest;
    }
    chip->clock();
    if (trace) {  // registers after the tick
      const int at = 4 * error_bits * (clocks - 1);
      copy_out(top.potentials, trace->potentials + at, 32 * error_bits);
      copy_out(top.currents, trace->currents + at, 32 * error_bits);
    }
    ++clocks;
  }
  top.tick = 0;
  copy_out(top.votes, votes, vote_bits);
  copy_out(top.largest_votes, largest_votes, vote_bits);
  return clocks;
}

}  // extern "C"
