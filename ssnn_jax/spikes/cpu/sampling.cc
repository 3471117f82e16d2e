// Samples spikes: draws thresholds and compares them with rates. The pure-JAX
// references are `fire` of `BitPlanes` and of `SobolWord`; the spikes are equal.

#include "common.h"

namespace ssnn {
namespace {

constexpr int kPlanes = 16;  // bits of a threshold

INLINE Words Majority(Words a, Words b, Words c) {
#ifdef __AVX512BW__
  return (Words)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c,
                                          0xE8);
#else
  return (a & b) | ((a | b) & c);
#endif
}

INLINE bool Any(Words words) {
#ifdef __AVX512BW__
  return _mm512_test_epi32_mask((__m512i)words, (__m512i)words) != 0;
#else
  uint32_t all = 0;
  for (int lane = 0; lane < kLanes; ++lane) all |= words[lane];
  return all != 0;
#endif
}

// hashing.lowbias32
INLINE Words Mix(Words x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

// The windows of one sample in one word, which do not overlap.
struct Row {
  const uint32_t* shared;  // state of the word
  const uint32_t* own;     // state of the sample and its neurons
  const float* rates;      // [windows, neurons]
  const uint32_t* masks;   // [windows] ticks
  uint32_t* spikes;        // [neurons], in all windows
};

// Thresholds of thresholds.hashed. `Draw` prepares neurons; the functor that it
// returns computes their bit planes.
struct Hashed {
  const uint32_t* keys;
  const uint32_t* counter;  // of the first neuron, and the step to the next

  explicit Hashed(const Row& row) : keys(row.shared), counter(row.own) {}

  INLINE auto Draw(Words neurons) const {
    const Words mixed = Mix((counter[0] + counter[1] * neurons) ^ keys[0]);
    return [mixed, pairs = keys + 1](int plane) INLINE_LAMBDA {
      return Mix((mixed ^ pairs[plane]) + pairs[plane + kPlanes]);
    };
  }
};

// Rates in multiples of 2**-16. Adding 2**23 rounds a float to the nearest
// integer, ties to even, and leaves it in the low bits.
INLINE Words Round(Floats rates) {
  return (Words)(rates * 65536.0f + 8388608.0f) - 0x4B000000u;
}

// The fractional part of a rounded rate: 0 where the spikes are certain.
INLINE Words Chance(Words rates) { return rates << (32 - kPlanes); }
INLINE Words Certain(Words rates) { return -(rates >> kPlanes); }

// bit_planes.compare, from the highest plane down. The lowest planes are drawn only
// in the rare case that a threshold and its rate agree in all other planes.
template <typename Planes>
INLINE Words Compare(const Planes& planes, Words rates) {
  constexpr int kRarePlanes = 4;
  Words fires = Certain(rates), bits = Chance(rates), equal = ~Words{};
  for (int plane = kPlanes - 1; plane >= 0; --plane) {
    if (plane == kRarePlanes - 1 && !Any(equal)) break;
    // An arithmetic shift copies the highest bit to all bits of the word.
    const Words is_set = (Words)((Signed)bits >> 31);
    const Words differ = equal & (planes(plane) ^ is_set);
    fires |= differ & is_set;
    equal ^= differ;
    bits += bits;
  }
  return fires;
}

// Appends the lanes that are not 0 in `wanted`; returns their number.
INLINE int64_t Append(Words wanted, Words neurons, Words rates,
                      uint32_t* to_neurons, uint32_t* to_rates) {
#ifdef __AVX512BW__
  const __mmask16 mask =
      _mm512_test_epi32_mask((__m512i)wanted, (__m512i)wanted);
  _mm512_storeu_si512(to_neurons,
                      _mm512_maskz_compress_epi32(mask, (__m512i)neurons));
  _mm512_storeu_si512(to_rates,
                      _mm512_maskz_compress_epi32(mask, (__m512i)rates));
  return __builtin_popcount(mask);
#else
  int64_t size = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    to_neurons[size] = neurons[lane];
    to_rates[size] = rates[lane];
    size += wanted[lane] != 0;
  }
  return size;
#endif
}

// Draws only for neurons whose spikes are random: many pixels are black, and many
// neurons are saturated or have a gate of 0.
void SampleWindow(const Row& row, int64_t neurons) {
  const uint32_t mask = row.masks[0];
  uint32_t* chosen = Scratch<uint32_t>(2 * (neurons + kLanes));
  uint32_t* rates = chosen + neurons + kLanes;
  int64_t size = 0;
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const Words rounded = Round(Load<Floats>(row.rates + first, count));
    Store(row.spikes + first, Certain(rounded) & mask, count);
    size += Append(Chance(rounded), static_cast<uint32_t>(first) + kLane,
                   rounded, chosen + size, rates + size);
  }
  std::fill_n(chosen + size, kLanes, 0);
  for (int64_t first = 0; first < size; first += kLanes) {
    const auto planes = Hashed(row).Draw(Load<Words>(chosen + first, kLanes));
    const Words fires =
        Compare(planes, Load<Words>(rates + first, kLanes)) & mask;
    uint32_t fired[kLanes];
    std::memcpy(fired, &fires, sizeof(fired));
    const int64_t last = std::min<int64_t>(kLanes, size - first);
    for (int64_t lane = 0; lane < last; ++lane) {
      row.spikes[chosen[first + lane]] = fired[lane];
    }
  }
}

// Samples several windows, tick by tick. `thresholds_of(first)` returns a function
// from ticks to the thresholds of the neurons from the first one on.
template <typename ThresholdsOf>
void SampleWindows(const Row& row, int64_t windows, int64_t neurons,
                   const ThresholdsOf& thresholds_of) {
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const auto thresholds = thresholds_of(first);
    Words spikes = {};
    for (int64_t window = 0; window < windows; ++window) {
      const float* own = row.rates + window * neurons + first;
      const Words rates = Round(Load<Floats>(own, count));
      for (uint32_t ticks = row.masks[window]; ticks; ticks &= ticks - 1) {
        const int tick = __builtin_ctz(ticks);
        spikes |= (Words)(thresholds(tick) < rates) & (1u << tick);
      }
    }
    Store(row.spikes + first, spikes, count);
  }
}

struct HashedSampler {
  static void Sample(const Row& row, int64_t windows, int64_t neurons, int64_t) {
    if (windows == 1) return SampleWindow(row, neurons);
    SampleWindows(row, windows, neurons, [&](int64_t first) {
      // Bit planes, then the thresholds of ticks: that of tick t in the lower half
      // of word t, that of tick t + 16 in its upper half.
      struct {
        Words words[kPlanes];
        INLINE Words operator()(int tick) const {
          const Words both = words[tick % kPlanes];
          return tick < kPlanes ? both & 0xFFFFu : both >> 16;
        }
      } thresholds;
      const auto draw = Hashed(row).Draw(static_cast<uint32_t>(first) + kLane);
      for (int plane = 0; plane < kPlanes; ++plane) {
        thresholds.words[plane] = draw(plane);
      }
      Transpose<kPlanes>(thresholds.words);
      return thresholds;
    });
  }
};

// Thresholds of SobolWord: the point at the first tick and the planes of the top
// bits are those of the word, the shifts those of the neurons.
struct SobolSampler {
  static constexpr int kTopPlanes = 5;
  static constexpr int kLowPlanes = kPlanes - kTopPlanes;
  static constexpr uint32_t kLow = (1 << kLowPlanes) - 1;

  static INLINE Words Fire(const uint32_t* shared, Words points, Words rates) {
    auto below = (Words)((points & kLow) < (rates & kLow));
    for (int plane = 0; plane < kTopPlanes; ++plane) {
      const int shift = 31 - kLowPlanes - plane;
      const auto is_set = (Words)((Signed)(rates << shift) >> 31);
      const Words drawn =
          shared[1 + plane] ^ (Words)((Signed)(points << shift) >> 31);
      below = Majority(is_set, ~drawn, below);
    }
    return below | Certain(rates);
  }

  static void Sample(const Row& row, int64_t windows, int64_t neurons,
                     int64_t num_own) {
    const auto points = [&](int64_t first) INLINE_LAMBDA {
      const Words shifts = num_own == 1
                               ? Words{} + row.own[0]
                               : Load<Words>(row.own + first, neurons - first);
      return row.shared[0] ^ shifts;
    };
    if (windows > 1) {
      uint32_t top[kTicks] = {};
      for (int plane = 0; plane < kTopPlanes; ++plane) {
        for (int tick = 0; tick < kTicks; ++tick) {
          top[tick] |= (row.shared[1 + plane] >> tick & 1)
                       << (kLowPlanes + plane);
        }
      }
      return SampleWindows(row, windows, neurons, [&](int64_t first) {
        return [own = points(first), &top](int tick)
                   INLINE_LAMBDA { return own ^ top[tick]; };
      });
    }
    for (int64_t first = 0; first < neurons; first += kLanes) {
      const int64_t count = neurons - first;
      const Words rates = Round(Load<Floats>(row.rates + first, count));
      Words fires = Certain(rates);
      if (Any(Chance(rates))) fires = Fire(row.shared, points(first), rates);
      Store(row.spikes + first, fires & row.masks[0], count);
    }
  }
};

// Operands, each with the leading axes of `vmap`:
//   shared [..., S], own [..., O], rates [..., W, N], masks [..., W].
template <typename Sampler>
ffi::Error Sample(ffi::ThreadPool pool, U32 shared, U32 own, F32 rates,
                  U32 masks, ffi::ResultBuffer<ffi::U32> spikes) {
  const auto shape = spikes->dimensions();
  const int64_t num_axes = shape.size() - 1, neurons = shape[num_axes];
  const int64_t windows = masks.dimensions()[num_axes];
  const int64_t num_own = own.dimensions()[num_axes];
  const int64_t num_rows = NumRows(shape, num_axes);
  constexpr int64_t kWordsPerTask = 1 << 13;
  const int64_t words = windows * std::max(neurons, kLanes + 0L);
  const int64_t grain = CeilDivide(kWordsPerTask, words);
  ParallelFor(pool, CeilDivide(num_rows, grain), [&](int64_t task) {
    const int64_t end = std::min((task + 1) * grain, num_rows);
    for (int64_t at = task * grain; at < end; ++at) {
      const auto find = [&](const auto& operand) {
        return RowOf(operand, shape, num_axes, at);
      };
      const Row row = {find(shared), find(own), find(rates), find(masks),
                       spikes->typed_data() + at * neurons};
      const auto has_ticks = [](uint32_t mask) { return mask != 0; };
      if (std::any_of(row.masks, row.masks + windows, has_ticks)) {
        Sampler::Sample(row, windows, neurons, num_own);
      } else {
        std::memset(row.spikes, 0, 4 * neurons);
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

#define DEFINE_SAMPLER(name, Sampler)                       \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, (Sample<Sampler>),    \
                                ffi::Ffi::Bind()            \
                                    .Ctx<ffi::ThreadPool>() \
                                    .Arg<U32>()             \
                                    .Arg<U32>()             \
                                    .Arg<F32>()             \
                                    .Arg<U32>()             \
                                    .Ret<U32>())

DEFINE_SAMPLER(ssnn_sample_hashed, HashedSampler);
DEFINE_SAMPLER(ssnn_sample_sobol, SobolSampler);

}  // namespace ssnn
