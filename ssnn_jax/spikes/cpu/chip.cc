// Presents samples to the chip, one after another. The rules are those of
// `chip/rules.py`, in the same order; all registers are equal, bit for bit.
//
// Most time is taken by the drive of the first layer, the sum of the weights of
// rows that spike. Weights of 16 bits are added side by side, and sums of as many
// rows as cannot overflow are widened to 32 bits.

#include "common.h"

namespace ssnn::chip {
namespace {

constexpr int kWordBits = 32, kRateBits = 16;
constexpr uint32_t kGolden = 0x9E3779B9, kLfsrTaps = 0x80200003;
constexpr int kLfsrSteps = 16, kSobolBits = 16;
constexpr int kWide = 32;  // weights side by side in a vector

using Shorts = uint16_t __attribute__((vector_size(2 * kWide)));
using SignedShorts = int16_t __attribute__((vector_size(2 * kWide)));
using Sums = int32_t __attribute__((vector_size(4 * kWide)));

enum Generator { kXorshift, kLfsr, kSobol };
enum Sharing { kByLayer, kByMask, kByNeuron };
enum Membrane { kShift, kMean };
enum Enable { kRow, kSynapse, kAll };

struct Config {
  ffi::Span<const int32_t> sizes, fractions, gumbel;
  ffi::Span<const int32_t> matrices;  // [generators, 16] of 'sobol'
  int64_t num_steps, weight_bits, settle, max_shift;
  int64_t generator, sharing, membrane, enable;

  int64_t layers() const { return fractions.size(); }
  int64_t rows(int64_t layer) const { return sizes[layer] + 1; }
  int64_t columns(int64_t layer) const { return sizes[layer + 1]; }
};

// Registers of the generators of a role and layer, and their words of a tick.
struct Words {
  uint32_t* registers;
  int64_t size;
  std::vector<uint32_t> now;
};

// A layer of weights with the neurons that it feeds.
struct Layer {
  int16_t* weights;  // [rows, columns]
  std::vector<int32_t> potentials, currents, drive;
  std::vector<uint8_t> spikes;        // of its inputs
  std::vector<int32_t> active;        // its rows that spike, with the bias
  std::vector<int32_t> errors;        // of its neurons: -1, 0, 1
  std::vector<int32_t> with_errors;   // its neurons that spike an error
};

uint32_t Mask(const Config& config, int64_t index) {
  return config.sharing == kByMask ? uint32_t(index + 1) * kGolden : 0;
}

uint32_t Step(int64_t generator, uint32_t x) {
  if (generator != kLfsr) {
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ (x << 5);
  }
  for (int step = 0; step < kLfsrSteps; ++step) {
    x = (x >> 1) ^ ((x & 1) * kLfsrTaps);
  }
  return x;
}

uint32_t Point(const int32_t* matrix, uint32_t tick) {
  uint32_t point = 0;
  for (int bit = 0; bit < kSobolBits; ++bit) {
    point |= uint32_t(__builtin_parity(matrix[bit] & tick)) << bit;
  }
  return point << (kWordBits - kSobolBits);
}

// Finds the neurons whose threshold is below their rate.
void Emit(const Config& config, const Words& words, int bits,
          const int32_t* rates, int64_t size, uint8_t* spikes) {
  const int shift = kWordBits - bits;
  const uint32_t* own = words.now.data();
  if (config.sharing == kByNeuron) {
    for (int64_t i = 0; i < size; ++i) {
      spikes[i] = int32_t(own[i] >> shift) < rates[i];
    }
    return;
  }
  const uint32_t word = own[0], step = Mask(config, 0);
  for (int64_t i = 0; i < size; ++i) {
    spikes[i] = int32_t((word ^ (uint32_t(i + 1) * step)) >> shift) < rates[i];
  }
}

// Adds the weights of the active rows, for kVectors * kWide columns.
template <int kVectors>
void AddRows(const Layer& layer, int64_t stride, int64_t first, int64_t batch,
             const int16_t* end, int32_t* drive) {
  Sums sums[kVectors] = {};
  const int64_t size = layer.active.size();
  for (int64_t begin = 0; begin < size; begin += batch) {
    Shorts partial[kVectors] = {};
    const int64_t last = std::min(begin + batch, size);
    for (int64_t index = begin; index < last; ++index) {
      const int16_t* row = layer.weights + layer.active[index] * stride + first;
      for (int vector = 0; vector < kVectors; ++vector) {
        const int16_t* from = row + vector * kWide;
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
  std::memcpy(drive, sums, sizeof(sums));
}

void Drive(const Config& config, int64_t index, Layer& layer) {
  constexpr int kBlock = 8;
  const int64_t columns = config.columns(index);
  const int16_t* end = layer.weights + config.rows(index) * columns;
  const int64_t batch = int64_t{1} << (16 - config.weight_bits);
  for (int64_t first = 0; first < columns;) {
    int32_t* drive = layer.drive.data() + first;
    if (first + kBlock * kWide <= columns) {
      AddRows<kBlock>(layer, columns, first, batch, end, drive);
      first += kBlock * kWide;
    } else {
      AddRows<1>(layer, columns, first, batch, end, drive);
      first += kWide;
    }
  }
}

void Integrate(const Config& config, int64_t elapsed, Layer& layer) {
  const int64_t size = layer.potentials.size();
  int32_t* v = layer.potentials.data();
  const int32_t* d = layer.drive.data();
  if (config.membrane == kMean) {
    const int64_t divisor = 2 * elapsed;
    for (int64_t j = 0; j < size; ++j) {
      const int64_t twice = 2 * (int64_t{d[j]} - v[j]) + elapsed;
      v[j] += twice / divisor - (twice % divisor < 0);
    }
    return;
  }
  int64_t shift = 63 - __builtin_clzll(elapsed);
  if (config.max_shift >= 0) shift = std::min(shift, config.max_shift);
  const int32_t half = (1 << shift) >> 1;
  for (int64_t j = 0; j < size; ++j) v[j] += (d[j] - v[j] + half) >> shift;
}

// Moves the weights at which a row and a neuron spike together.
void Update(const Config& config, int64_t index, const Words& words,
            uint32_t rate, Layer& layer) {
  if (layer.with_errors.empty() || !rate) return;
  const int64_t columns = config.columns(index);
  const int32_t largest = (1 << (config.weight_bits - 1)) - 1;
  for (int32_t row : layer.active) {
    uint32_t word = words.now[words.size > 1 ? row : 0];
    if (config.enable == kRow && config.sharing != kByNeuron) {
      word ^= uint32_t(row + 1) * kGolden;
    }
    if (config.enable != kSynapse && word >> kRateBits >= rate) continue;
    int16_t* weights = layer.weights + row * columns;
    for (int32_t column : layer.with_errors) {
      if (config.enable == kSynapse) {
        const uint32_t mask = uint32_t(row * columns + column + 1) * kGolden;
        if ((word ^ mask) >> kRateBits >= rate) continue;
      }
      const int32_t moved = weights[column] - layer.errors[column];
      weights[column] = std::clamp(moved, -largest - 1, largest);
    }
  }
}

class Chip {
 public:
  // Registers are in the order of `Generators`: input, forward, error, winner,
  // enable.
  Chip(const Config& config, std::vector<Layer> layers,
       std::vector<Words> words)
      : config_(config),
        layers_(std::move(layers)),
        words_(std::move(words)),
        hidden_(config.layers() - 1) {
    for (int64_t index = 0; index < config.layers(); ++index) {
      Layer& layer = layers_[index];
      const int64_t columns = config.columns(index);
      layer.potentials.resize(columns);
      layer.currents.resize(columns);
      layer.errors.resize(columns);
      layer.drive.resize(CeilDivide(columns, kWide) * kWide);
      layer.spikes.resize(config.sizes[index]);
    }
    for (Words& own : words_) own.now.resize(own.size);
  }

  void Present(const int32_t* rates, int32_t label, const int32_t* enable,
               int32_t* votes, int32_t* potential, int32_t* spikes) {
    const int64_t classes = config_.columns(hidden_);
    for (Layer& layer : layers_) {
      std::fill(layer.potentials.begin(), layer.potentials.end(), 0);
      std::fill(layer.currents.begin(), layer.currents.end(), 0);
    }
    std::fill_n(votes, 2 * classes, 0);
    int64_t num_counts = 0;
    for (int64_t layer = 0; layer <= hidden_; ++layer) {
      num_counts += config_.sizes[layer] + config_.columns(layer);
    }
    std::fill_n(spikes, num_counts, 0);
    for (int64_t t = 0; t < config_.num_steps; ++t) {
      Tick(t, rates, label, enable, votes, spikes);
    }
    std::copy_n(layers_[hidden_].potentials.data(), classes, potential);
  }

 private:
  const Words& Forward(int64_t layer) const { return words_[layer]; }
  const Words& Error(int64_t layer) const { return words_[1 + hidden_ + layer]; }
  const Words& Winner() const { return words_[1 + 2 * hidden_]; }
  const Words& EnableBits(int64_t layer) const {
    return words_[2 + 2 * hidden_ + layer];
  }

  void Tick(int64_t t, const int32_t* rates, int32_t label,
            const int32_t* enable, int32_t* votes, int32_t* spikes) {
    ReadWords(t);

    // Emit.
    for (int64_t index = 0; index <= hidden_; ++index) {
      const int32_t* own = index ? layers_[index - 1].potentials.data() : rates;
      const int bits = config_.fractions[index ? index - 1 : 0];
      Layer& layer = layers_[index];
      const int64_t size = config_.sizes[index];
      Emit(config_, Forward(index), bits, own, size, layer.spikes.data());
      layer.active.resize(size + 1);
      int64_t count = 0;
      for (int64_t i = 0; i < size; ++i) {
        layer.active[count] = i;
        count += layer.spikes[i];
      }
      layer.active[count] = size;  // the bias
      layer.active.resize(count + 1);
      for (int64_t i = 0; i < size; ++i) spikes[i] += layer.spikes[i];
      spikes += size;
    }
    Compete(t, label, votes);
    for (int64_t index = 0; index < hidden_; ++index) EmitErrors(index);
    for (Layer& layer : layers_) {
      const int64_t size = layer.errors.size();
      layer.with_errors.clear();
      for (int64_t j = 0; j < size; ++j) {
        if (layer.errors[j]) layer.with_errors.push_back(j);
        spikes[j] += layer.errors[j] != 0;
      }
      spikes += size;
    }

    // Integrate, with the weights before the tick.
    for (int64_t index = 0; index <= hidden_; ++index) {
      if (t < index) continue;
      Drive(config_, index, layers_[index]);
      Integrate(config_, t - index + 1, layers_[index]);
    }
    for (int64_t index = 0; index < hidden_; ++index) {
      const Layer& above = layers_[index + 1];
      const int64_t columns = config_.columns(index + 1);
      std::vector<int32_t>& currents = layers_[index].currents;
      for (size_t j = 0; j < currents.size(); ++j) {
        int32_t sum = 0;
        for (int32_t k : above.with_errors) {
          sum += above.weights[j * columns + k] * above.errors[k];
        }
        currents[j] = sum;
      }
    }

    // Count.
    for (int64_t index = 0; index <= hidden_; ++index) {
      Update(config_, index, EnableBits(index), enable[index], layers_[index]);
    }
  }

  // Reads the words of the tick, and steps the registers.
  void ReadWords(int64_t t) {
    const int32_t* matrix = config_.matrices.begin();
    for (Words& own : words_) {
      // Winners and enable bits follow no sequence.
      const bool is_sobol = config_.generator == kSobol && &own < &Winner();
      const uint32_t point = is_sobol ? Point(matrix, t) : 0;
      const bool is_held = is_sobol && t < config_.num_steps - 1;
      for (int64_t i = 0; i < own.size; ++i) {
        uint32_t& state = own.registers[i];
        own.now[i] = state ^ point;
        if (!is_held) state = Step(config_.generator, state);
      }
      if (is_sobol) matrix += kSobolBits;
    }
  }

  // Finds the winner of the tick, and the errors of the output layer.
  void Compete(int64_t t, int32_t label, int32_t* votes) {
    Layer& output = layers_[hidden_];
    const int64_t classes = output.potentials.size();
    const std::vector<int32_t>& v = output.potentials;
    const std::vector<uint32_t>& words = Winner().now;
    int64_t winner = 0, largest = 0;
    int32_t most = INT32_MIN;
    for (int64_t k = 0; k < classes; ++k) {
      const uint32_t address = words[k / 4] >> (8 * (k % 4)) & 255;
      const int32_t own = v[k] + config_.gumbel[address];
      if (own > most) most = own, winner = k;
      if (v[k] > v[largest]) largest = k;
    }
    if (t >= config_.settle) ++votes[winner], ++votes[classes + largest];
    std::fill(output.errors.begin(), output.errors.end(), 0);
    if (label < 0 || t < config_.layers()) return;
    ++output.errors[winner];
    if (label < classes) --output.errors[label];
  }

  void EmitErrors(int64_t index) {
    Layer& layer = layers_[index];
    const int64_t size = layer.errors.size();
    const int32_t one = 1 << config_.fractions[index];
    const int32_t* v = layer.potentials.data();
    const int32_t* g = layer.currents.data();
    scratch_.resize(size), flags_.resize(size);
    for (int64_t j = 0; j < size; ++j) {
      scratch_[j] = (v[j] > 0 && v[j] < one) ? std::abs(g[j]) : 0;
    }
    Emit(config_, Error(index), config_.fractions[index + 1], scratch_.data(),
         size, flags_.data());
    for (int64_t j = 0; j < size; ++j) {
      layer.errors[j] = flags_[j] ? (g[j] > 0) - (g[j] < 0) : 0;
    }
  }

  const Config& config_;
  std::vector<Layer> layers_;
  std::vector<Words> words_;
  const int64_t hidden_;  // number of hidden layers
  std::vector<int32_t> scratch_;
  std::vector<uint8_t> flags_;
};

// Presents the samples of one chip, or of several chips in parallel.
ffi::Error Present(ffi::ThreadPool pool, S32 rates, S32 labels, S32 enable,
                   ffi::RemainingArgs, ffi::Result<S32> votes,
                   ffi::Result<S32> potential, ffi::Result<S32> spikes,
                   ffi::RemainingRets state, ffi::Span<const int32_t> sizes,
                   ffi::Span<const int32_t> fractions,
                   ffi::Span<const int32_t> gumbel,
                   ffi::Span<const int32_t> matrices,
                   ffi::Span<const int32_t> numbers) {
  const Config config{sizes,      fractions,  gumbel,     matrices,
                      numbers[0], numbers[1], numbers[2], numbers[3],
                      numbers[4], numbers[5], numbers[6], numbers[7]};
  const auto shape = labels.dimensions();
  const int64_t samples = shape[shape.size() - 1];
  const int64_t chips = samples ? labels.element_count() / samples : 0;
  const int64_t layers = config.layers();
  const int64_t classes = config.columns(layers - 1);
  const int64_t num_counts = samples ? spikes->dimensions().back() : 0;
  ParallelFor(pool, chips, [&](int64_t chip) {
    std::vector<Layer> own(layers);
    std::vector<Words> words(state.size() - layers);
    for (int64_t index = 0; index < layers; ++index) {
      auto weights = state.get<ffi::Buffer<ffi::S16>>(index).value();
      const int64_t size = config.rows(index) * config.columns(index);
      own[index].weights = weights->typed_data() + chip * size;
    }
    for (size_t index = 0; index < words.size(); ++index) {
      auto registers = state.get<U32>(layers + index).value();
      words[index].size = registers->dimensions().back();
      words[index].registers =
          registers->typed_data() + chip * words[index].size;
    }
    Chip presented(config, std::move(own), std::move(words));
    for (int64_t sample = 0; sample < samples; ++sample) {
      const int64_t at = chip * samples + sample;
      presented.Present(rates.typed_data() + at * sizes[0],
                        labels.typed_data()[at],
                        enable.typed_data() + at * layers,
                        votes->typed_data() + at * 2 * classes,
                        potential->typed_data() + at * classes,
                        spikes->typed_data() + at * num_counts);
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    ssnn_chip, Present,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<S32>()
        .Arg<S32>()
        .Arg<S32>()
        .RemainingArgs()
        .Ret<S32>()
        .Ret<S32>()
        .Ret<S32>()
        .RemainingRets()
        .Attr<ffi::Span<const int32_t>>("sizes")
        .Attr<ffi::Span<const int32_t>>("fractions")
        .Attr<ffi::Span<const int32_t>>("gumbel")
        .Attr<ffi::Span<const int32_t>>("matrices")
        .Attr<ffi::Span<const int32_t>>("numbers"));

}  // namespace ssnn::chip
