// Simulation of the chip for Python: verilator's model behind a C interface.
//
// The driver moves words, events and weights through the streams of the chip,
// and finds memories by name. Arrays of ports are raw bits, lowest first.

#include <cstdint>
#include <cstring>
#include <vector>

#include "Vchip_top.h"
#include "verilated_syms.h"

namespace {

struct Event {
  uint16_t row;
  uint8_t negative, last;
};

struct Chip {
  VerilatedContext context;
  Vchip_top top{&context};
  std::vector<uint16_t> words;  // of samples
  std::vector<Event> events;
  size_t sent = 0, sent_events = 0;
  uint32_t random = 1, stall = 0;  // stalls of 2^16 clocks

  bool stalls() {
    random = random * 1664525 + 1013904223;
    return (random >> 16) < stall;
  }

  // Another chip may have been run, and deleted.
  void use() { Verilated::threadContextp(&context); }

  void clock() {
    use();
    top.clock = 1;
    top.eval();
    top.clock = 0;
    top.eval();
  }

  // Offers the next word and spike, each until it is taken.
  void offer() {
    const bool has_word = sent < words.size();
    if (!top.sample_valid) top.sample_valid = has_word && !stalls();
    if (has_word) top.sample_data = words[sent];
    const bool has_event = sent_events < events.size();
    if (!top.event_valid) top.event_valid = has_event && !stalls();
    if (has_event) {
      const Event& event = events[sent_events];
      top.event_row = event.row;
      top.event_negative = event.negative;
      top.event_last = event.last;
    }
  }

  // A clock in which what is offered is taken, if the chip is ready.
  void move() {
    const bool sends = top.sample_valid && top.sample_ready;
    const bool sends_event = top.event_valid && top.event_ready;
    clock();
    sent += sends;
    sent_events += sends_event;
    if (sends) top.sample_valid = 0;
    if (sends_event) top.event_valid = 0;
  }
};

}  // namespace

extern "C" {

void chip_reset(Chip* chip) {
  auto& top = chip->top;
  chip->use();
  top.clock = 0;
  top.sample_valid = top.event_valid = top.result_ready = top.row_valid = 0;
  top.weight_in_valid = top.weight_out_ready = 0;
  top.reset = 1;
  top.eval();  // an edge is a change since the last eval
  for (int n = 0; n < 8; ++n) chip->clock();
  top.reset = 0;
  top.eval();
  chip->words.clear();
  chip->events.clear();
  chip->sent = chip->sent_events = 0;
}

Chip* chip_new() {
  Chip* chip = new Chip;
  chip_reset(chip);
  return chip;
}

void chip_delete(Chip* chip) {
  chip->use();
  delete chip;
}

// Finds a memory; returns its data, and its bytes and bits of an element.
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

// Sets the probability of stalls, of 2^16.
void chip_stall(Chip* chip, int stall) { chip->stall = stall; }

// Queues words of samples.
void chip_send(Chip* chip, const uint16_t* words, int64_t size) {
  chip->words.insert(chip->words.end(), words, words + size);
}

// Queues spikes of a sample in the open mode, and its label.
void chip_open(Chip* chip, const int32_t* rows, const uint8_t* negative,
               int64_t size, int label) {
  for (int64_t n = 0; n < size; ++n)
    chip->events.push_back({uint16_t(rows[n]), negative[n], 0});
  chip->events.push_back({uint16_t(label), 0, 1});
}

// Runs until an answer is taken, unless it is held, or for some clocks; returns
// their number, or -1 if there was no answer.
int64_t chip_result(Chip* chip, const uint8_t* rates, int rates_bytes,
                    uint8_t* answer, int hold, int64_t max_clocks) {
  auto& top = chip->top;
  std::memcpy(&top.rates, rates, rates_bytes);
  for (int64_t clocks = 1; clocks <= max_clocks; ++clocks) {
    chip->offer();
    top.result_ready = !hold && !chip->stalls();
    top.eval();
    const bool takes = top.result_valid && top.result_ready;
    if (takes) *answer = top.answer;
    chip->move();
    if (takes) return clocks;
  }
  return -1;
}

// Reads or writes a row of weights at the ports, while samples stream in; returns
// the clocks, or -1.
int64_t chip_row(Chip* chip, int write, int layer, int row, int columns,
                 int weight_bits, int16_t* weights) {
  auto& top = chip->top;
  const int unused = 16 - weight_bits;
  bool requests = true;
  int done = 0;
  top.row_write = write;
  top.row_layer = layer;
  top.row_index = row;
  top.result_ready = 0;
  for (int64_t clocks = 1; clocks < 200'000; ++clocks) {
    chip->offer();
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
    chip->move();
    if (accepted) requests = false;
    if (enters) top.weight_in_valid = 0;
    done += enters || leaves;
    if (done == columns) {
      top.row_valid = top.weight_in_valid = top.weight_out_ready = 0;
      top.eval();
      if (!write || !top.busy) return clocks;
    }
  }
  return -1;
}

}  // extern "C"
