// Presents samples to the chip, one after another. The rules are those of
// `chip/rules.py`, in the same order; all registers are equal, bit for bit.
//
// Most time is taken by the drive of the first layer, the sum of the weights of
// rows that spike. Weights of 16 bits are added side by side, and sums of as many
// rows as cannot overflow are widened to 32 bits.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ssnn::chip {
namespace {

namespace ffi = xla::ffi;

using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;

constexpr int kWordBits = 32, kPixelBits = 8;
constexpr int kUnusedBits = 16;  // of the words of rows
constexpr int kInputLanes = 16;  // inputs that share a word
constexpr uint32_t kGolden = 0x9E37;
constexpr int kWide = 32;  // weights side by side in a vector

using Shorts = uint16_t __attribute__((vector_size(2 * kWide)));
using SignedShorts = int16_t __attribute__((vector_size(2 * kWide)));
using Sums = int32_t __attribute__((vector_size(4 * kWide)));
using Numbers = ffi::Span<const int32_t>;

struct Config {
  Numbers sizes, fractions, worths, gumbel, sobol;
  int64_t num_steps, weight_bits, first_vote;
};

int64_t CeilDivide(int64_t size, int64_t by) {
  return (size + by - 1) / by;
}

// Runs run(0) to run(size - 1) on XLA's threads and on this one. It waits only
// for tasks that have started, so that a busy pool cannot deadlock it.
template <typename Run>
void ParallelFor(ffi::ThreadPool& pool, int64_t size, const Run& run) {
  struct Progress {
    std::atomic<int64_t> next{0};
    std::atomic<int64_t> done{0};
  };
  auto progress = std::make_shared<Progress>();
  auto work = [progress, size, &run] {
    for (int64_t task; (task = progress->next++) < size; ++progress->done) {
      run(task);
    }
  };
  const int64_t helpers = std::min<int64_t>(pool.num_threads(), size) - 1;
  for (int64_t helper = 0; helper < helpers; ++helper) {
    pool.Schedule(std::function<void()>(work));
  }
  work();
  while (progress->done < size) std::this_thread::yield();
}

// A layer of weights with the neurons that it feeds; classes have no
// spikes and errors.
struct Layer {
  Layer(int16_t* weights, int64_t inputs, int64_t columns)
      : weights(weights), rows(inputs + 1), columns(columns), residues(columns),
        drives(columns), errors(columns), spikes(columns), sent(columns),
        sums(CeilDivide(columns, kWide) * kWide), active(rows) {}

  int16_t* weights;  // [rows, columns]
  int64_t rows, columns;
  std::vector<int32_t> residues, drives, errors, spikes;
  std::vector<int32_t> sent;         // error spikes, with their sign
  std::vector<int32_t> sums;         // of the weights of active rows
  std::vector<int32_t> active;       // rows that spike come first, with the bias
  int64_t num_active;
  std::vector<int32_t> with_errors;  // columns that send error spikes
};

void Step(uint32_t& x) {
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
}

// Lists what is not 0, and returns how many there are.
int64_t List(const std::vector<int32_t>& values, int32_t* places) {
  int64_t count = 0;
  for (size_t place = 0; place < values.size(); ++place) {
    places[count] = place;
    count += values[place] != 0;
  }
  return count;
}

// Lists the rows of a layer that spike, with the bias.
void Activate(const std::vector<int32_t>& spikes, Layer& layer) {
  layer.num_active = List(spikes, layer.active.data());
  layer.active[layer.num_active++] = layer.rows - 1;
}

// Adds the weights of the active rows, for kVectors * kWide columns.
template <int kVectors>
void AddRows(Layer& layer, int64_t first, int64_t batch) {
  const int16_t* end = layer.weights + layer.rows * layer.columns;
  const int64_t size = layer.num_active;
  Sums sums[kVectors] = {};
  for (int64_t begin = 0; begin < size; begin += batch) {
    Shorts partial[kVectors] = {};
    const int64_t last = std::min(begin + batch, size);
    for (int64_t index = begin; index < last; ++index) {
      const int16_t* from =
          layer.weights + layer.active[index] * layer.columns + first;
      for (int vector = 0; vector < kVectors; ++vector, from += kWide) {
        Shorts weights = {};
        if (kVectors > 1 || from + kWide <= end) {
          std::memcpy(&weights, from, sizeof(weights));
        } else {  // the last columns of the last rows
          std::memcpy(&weights, from, sizeof(*from) * (end - from));
        }
        partial[vector] += weights;
      }
    }
    for (int vector = 0; vector < kVectors; ++vector) {
      sums[vector] +=
          __builtin_convertvector((SignedShorts)partial[vector], Sums);
    }
  }
  std::memcpy(layer.sums.data() + first, sums, sizeof(sums));
}

void SumRows(Layer& layer, int64_t weight_bits) {
  constexpr int kBlock = 8;
  const int64_t batch = int64_t{1} << (16 - weight_bits);
  int64_t first = 0;
  for (; first + kBlock * kWide <= layer.columns; first += kBlock * kWide) {
    AddRows<kBlock>(layer, first, batch);
  }
  for (; first < layer.columns; first += kWide) {
    AddRows<1>(layer, first, batch);
  }
}

// Moves the weights at which a row and an error spike meet.
void Move(Layer& layer, uint32_t word, uint32_t rate, int64_t weight_bits) {
  if (layer.with_errors.empty()) return;
  const int32_t limit = 1 << (weight_bits - 1);
  word >>= kUnusedBits;
  for (int64_t index = 0; index < layer.num_active; ++index) {
    const int32_t row = layer.active[index];
    const uint16_t mask = (row + 1) * kGolden;
    if ((word ^ mask) >= rate) continue;
    int16_t* weights = layer.weights + row * layer.columns;
    for (int32_t column : layer.with_errors) {
      const int32_t moved = weights[column] - layer.sent[column];
      weights[column] = std::clamp(moved, -limit, limit - 1);
    }
  }
}

struct Chip {
  const Config& config;
  std::vector<Layer> layers;
  uint32_t *input, *winner, *enable;  // registers
  int64_t last;                       // layer of weights
  std::vector<int32_t> spikes;        // of the inputs
  std::vector<int32_t> flips;         // of their Sobol points, and the bias

  void Present(const uint8_t* pixels, int32_t label, const int32_t* rates,
               int32_t* votes, int32_t* drive, int32_t* counts,
               int64_t num_counts) {
    for (Layer& layer : layers) {
      for (auto* state : {&layer.residues, &layer.drives, &layer.errors}) {
        std::fill(state->begin(), state->end(), 0);
      }
    }
    std::fill_n(votes, layers[last].columns, 0);
    std::fill_n(counts, num_counts, 0);
    Flip();
    for (int64_t t = 0; t < config.num_steps; ++t) {
      Emit(t, pixels);
      Compete(t, label, votes);
      Count(counts);
      for (int64_t index = 0; index <= last; ++index) Integrate(t, index);
      for (int64_t index = 0; index <= last; ++index) {
        Move(layers[index], enable[index], rates[index], config.weight_bits);
        Step(enable[index]);
      }
      for (int64_t k = 0; k < layers[last].columns; k += 4) Step(winner[k / 4]);
    }
    std::copy_n(layers[last].drives.data(), layers[last].columns, drive);
  }

  // Finds by what each input flips the Sobol points of the sample.
  void Flip() {
    for (size_t i = 0; i < flips.size(); ++i) {
      const int lane = i % kInputLanes, turn = lane * kWordBits / kInputLanes;
      if (lane == 0 && i > 0) Step(*input);
      flips[i] = (*input << turn | *input >> (kWordBits - turn) % kWordBits) >>
                 (kWordBits - kPixelBits);
    }
    Step(*input);
  }

  // Fires the inputs and the hidden neurons, forward and backward.
  void Emit(int64_t t, const uint8_t* pixels) {
    int32_t point = 0;
    for (int bit = 0; bit < kPixelBits; ++bit) {
      point |= __builtin_parity(config.sobol[bit] & t) << bit;
    }
    for (int32_t i = 0; i < config.sizes[0]; ++i) {
      const int32_t rate = pixels[i] + (pixels[i] >> (kPixelBits - 1));
      spikes[i] = (point ^ flips[i]) < rate;
    }
    Activate(spikes, layers[0]);
    for (int64_t index = 0; index < last; ++index) {
      Layer& layer = layers[index];
      const int32_t one = 1 << config.fractions[index];
      const int32_t worth = config.worths[index];
      for (int64_t j = 0; j < layer.columns; ++j) {
        const int32_t a = layer.errors[j], size = 2 * std::abs(a);
        const int32_t number =
            (size > worth) + (size > 3 * worth) + (size > 5 * worth);
        layer.sent[j] = a < 0 ? -number : number;
        layer.spikes[j] = layer.residues[j] > one / 2;
        layer.residues[j] -= layer.spikes[j] * one;
        layer.errors[j] -= layer.sent[j] * worth;
      }
      Activate(layer.spikes, layers[index + 1]);
    }
  }

  // Finds the winner of the tick, and the errors of the output layer.
  void Compete(int64_t t, int32_t label, int32_t* votes) {
    Layer& output = layers[last];
    const std::vector<int32_t>& drives = output.drives;
    const bool has_label = label >= 0 && label < output.columns;
    const int32_t ticks = has_label ? std::max(t - last, int64_t{1}) : 0;
    int64_t best = 0;
    int32_t most = INT32_MIN;
    for (int64_t k = 0; k < output.columns; ++k) {
      const uint32_t address = winner[k / 4] >> (8 * (k % 4)) & 255;
      const int32_t score = drives[k] + ticks * config.gumbel[address];
      if (score > most) most = score, best = k;
    }
    if (t >= config.first_vote) ++votes[best];
    std::fill(output.sent.begin(), output.sent.end(), 0);
    if (!has_label || t <= last) return;
    ++output.sent[best];
    --output.sent[label];
  }

  // Adds the spikes to those of each neuron: forward spikes, then error spikes.
  void Count(int32_t* counts) {
    for (Layer& layer : layers) {
      for (int64_t index = 0; index < layer.num_active; ++index) {
        const int32_t row = layer.active[index];
        if (row < layer.rows - 1) ++counts[row];
      }
      counts += layer.rows - 1;
    }
    for (Layer& layer : layers) {
      layer.with_errors.resize(layer.columns);
      layer.with_errors.resize(List(layer.sent, layer.with_errors.data()));
      for (int32_t j : layer.with_errors) counts[j] += std::abs(layer.sent[j]);
      counts += layer.columns;
    }
  }

  // Adds what arrives at the neurons of a layer, with the weights before the tick.
  void Integrate(int64_t t, int64_t index) {
    if (t < index) return;
    Layer& layer = layers[index];
    SumRows(layer, config.weight_bits);
    for (int64_t j = 0; j < layer.columns; ++j) {
      layer.drives[j] += layer.sums[j];
      layer.residues[j] += layer.sums[j];
    }
    if (index == last) return;
    const Layer& above = layers[index + 1];
    const int32_t most = (t + 1 - index) << config.fractions[index];
    for (int32_t k : above.with_errors) {
      const int16_t* weights = above.weights + k;
      for (int64_t j = 0; j < layer.columns; ++j) {
        const bool is_open = layer.drives[j] > 0 && layer.drives[j] < most;
        const int32_t g = weights[j * above.columns] * above.sent[k];
        layer.errors[j] += is_open ? g : 0;
      }
    }
  }
};

// Presents the samples of one chip, or of several chips in parallel.
ffi::Error Present(ffi::ThreadPool pool, ffi::Buffer<ffi::U8> pixels,
                   S32 labels, S32 rates, ffi::RemainingArgs,
                   ffi::Result<S32> votes, ffi::Result<S32> drive,
                   ffi::Result<S32> counts, ffi::RemainingRets state,
                   Numbers sizes, Numbers fractions, Numbers worths,
                   Numbers gumbel, Numbers sobol, Numbers numbers) {
  const Config config{sizes, fractions, worths, gumbel, sobol,
                      numbers[0], numbers[1], numbers[2]};
  const auto shape = labels.dimensions();
  const int64_t samples = shape[shape.size() - 1];
  const int64_t chips = samples ? labels.element_count() / samples : 0;
  const int64_t num_layers = fractions.size(), classes = sizes[num_layers];
  const int64_t num_counts = samples ? counts->dimensions().back() : 0;
  ParallelFor(pool, chips, [&](int64_t chip) {
    std::vector<Layer> layers;
    for (int64_t index = 0; index < num_layers; ++index) {
      auto weights = state.get<ffi::Buffer<ffi::S16>>(index).value();
      const int64_t size = weights->element_count() / chips;
      layers.emplace_back(weights->typed_data() + chip * size, sizes[index],
                          sizes[index + 1]);
    }
    auto registers = [&](int64_t index) {
      auto own = state.get<U32>(num_layers + index).value();
      return own->typed_data() + chip * (own->element_count() / chips);
    };
    Chip presented{config,       std::move(layers), registers(0),
                   registers(1), registers(2),      num_layers - 1,
                   std::vector<int32_t>(sizes[0]),
                   std::vector<int32_t>(sizes[0] + 1)};
    for (int64_t sample = 0; sample < samples; ++sample) {
      const int64_t at = chip * samples + sample;
      presented.Present(pixels.typed_data() + at * sizes[0],
                        labels.typed_data()[at],
                        rates.typed_data() + at * num_layers,
                        votes->typed_data() + at * classes,
                        drive->typed_data() + at * classes,
                        counts->typed_data() + at * num_counts, num_counts);
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    ssnn_chip, Present,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<ffi::Buffer<ffi::U8>>()
        .Arg<S32>()
        .Arg<S32>()
        .RemainingArgs()
        .Ret<S32>()
        .Ret<S32>()
        .Ret<S32>()
        .RemainingRets()
        .Attr<Numbers>("sizes")
        .Attr<Numbers>("fractions")
        .Attr<Numbers>("worths")
        .Attr<Numbers>("gumbel")
        .Attr<Numbers>("sobol")
        .Attr<Numbers>("numbers"));

}  // namespace ssnn::chip
