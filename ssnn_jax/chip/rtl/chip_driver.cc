// Simulation of the chip for Python: verilator's model behind a C interface.
//
// The driver moves bytes and weights through the streams of the chip, and finds
// internal signals by name. Arrays of ports are raw bits, lowest first.

#include <cstdint>
#include <cstring>
#include <vector>

#include "Vchip_top.h"
#include "verilated_syms.h"

namespace {

constexpr int64_t kMaxClocks = 1'000'000;

struct Chip {
  VerilatedContext context;
  Vchip_top top{&context};
  std::vector<uint8_t> queue;  // bytes of samples
  size_t sent = 0;
  uint32_t random = 1, stall = 0;  // stalls of 2^16 clocks

  bool stalls() {
    random = random * 1664525 + 1013904223;
    return (random >> 16) < stall;
  }

  void clock() {
    top.clock = 1;
    top.eval();
    top.clock = 0;
    top.eval();
  }
};

template <typename Port>
void copy_in(Port& port, const void* bits, int num_bytes) {
  std::memcpy(&port, bits, num_bytes);
}

template <typename Port>
void copy_out(const Port& port, void* bits, int num_bytes) {
  std::memcpy(bits, &port, num_bytes);
}

}  // namespace

extern "C" {

void chip_reset(Chip* chip) {
  auto& top = chip->top;
  top.clock = 0;
  top.sample_valid = top.result_ready = top.row_valid = 0;
  top.weight_in_valid = top.weight_out_ready = 0;
  top.reset = 1;
  top.eval();  // an edge is a change since the last eval
  chip->clock();
  top.reset = 0;
  top.eval();
  chip->queue.clear();
  chip->sent = 0;
}

Chip* chip_new() {
  Chip* chip = new Chip;
  chip_reset(chip);
  return chip;
}

void chip_delete(Chip* chip) { delete chip; }

// Finds a signal; returns its data, and its bytes and bits of an element.
const void* chip_find(Chip* chip, const char* scope, const char* name,
                      int64_t* shape) {
  const VerilatedScope* found = chip->context.scopeFind(scope);
  VerilatedVar* var = found ? found->varFind(name) : nullptr;
  if (!var) return nullptr;
  shape[0] = var->totalSize();
  shape[1] = var->entSize();
  shape[2] = var->entBits();
  return var->datap();
}

// Sets the probability of stalls, of 2^16, and queues bytes of samples.
void chip_send(Chip* chip, const uint8_t* bytes, int64_t size, int stall) {
  chip->queue.erase(chip->queue.begin(), chip->queue.begin() + chip->sent);
  chip->queue.insert(chip->queue.end(), bytes, bytes + size);
  chip->sent = 0;
  chip->stall = stall;
}

// Runs until a result is taken, unless results are held, or for some clocks;
// returns their number, or -1 if there was no result.
int64_t chip_result(Chip* chip, const uint8_t* rates, int rates_bytes,
                    uint8_t* votes, int votes_bytes, int hold,
                    int64_t max_clocks) {
  auto& top = chip->top;
  copy_in(top.enable_rates, rates, rates_bytes);
  for (int64_t clocks = 1; clocks <= max_clocks; ++clocks) {
    const bool has_byte = chip->sent < chip->queue.size();
    if (!top.sample_valid) top.sample_valid = has_byte && !chip->stalls();
    if (has_byte) top.sample_data = chip->queue[chip->sent];
    top.result_ready = !hold && !chip->stalls();
    top.eval();
    const bool sends = top.sample_valid && top.sample_ready;
    const bool takes = top.result_valid && top.result_ready;
    if (takes) copy_out(top.votes, votes, votes_bytes);
    chip->clock();
    if (sends) {
      ++chip->sent;
      top.sample_valid = 0;
    }
    if (takes) return clocks;
  }
  return -1;
}

// Reads or writes a row of weights at the ports; returns the clocks, or -1.
int64_t chip_row(Chip* chip, int write, int layer, int row, int columns,
                 int weight_bits, int16_t* weights) {
  auto& top = chip->top;
  const int unused = 16 - weight_bits;
  bool requests = true;
  int done = 0;
  top.row_write = write;
  top.row_layer = layer;
  top.row_index = row;
  top.result_ready = top.sample_valid = 0;
  for (int64_t clocks = 1; clocks < kMaxClocks; ++clocks) {
    top.row_valid = requests;
    if (!top.weight_in_valid)
      top.weight_in_valid = write && done < columns && !chip->stalls();
    if (write && done < columns)
      top.weight_in_data = weights[done] & ((1 << weight_bits) - 1);
    top.weight_out_ready = !write && !chip->stalls();
    top.eval();
    const bool accepted = requests && top.row_ready;
    const bool enters = top.weight_in_valid && top.weight_in_ready;
    const bool leaves = top.weight_out_valid && top.weight_out_ready;
    if (leaves) {  // the sign bit is moved to the top and back
      const uint16_t bits = top.weight_out_data << unused;
      weights[done] = static_cast<int16_t>(bits) >> unused;
    }
    chip->clock();
    if (accepted) requests = false;
    if (enters) top.weight_in_valid = 0;
    done += enters || leaves;
    if (done == columns) {
      top.row_valid = top.weight_in_valid = top.weight_out_ready = 0;
      top.eval();
      if (!top.busy) return clocks;
    }
  }
  return -1;
}

}  // extern "C"
