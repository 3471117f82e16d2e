// Samples the spikes of a window in a word: draws thresholds and compares them with
// rates. The pure-JAX references are `bernoulli._reference` and `sobol._reference`;
// the spikes are equal.

#include "common.h"

namespace ssnn {
namespace {

constexpr int kPlanes = 16;  // bits of a threshold

// hashing.lowbias32
INLINE Words Mix(Words x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

// One sample in a window of a word.
struct Row {
  const uint32_t* shared;  // state of the word
  const uint32_t* own;     // state of the sample and its neurons
  const float* rates;      // [neurons]
  uint32_t mask;           // ticks of the window
  uint32_t* spikes;        // [neurons]
};

// Rates in multiples of 2**-16. Adding 2**23 rounds a float to the nearest
// integer, ties to even, and leaves it in the low bits.
INLINE Words Round(Floats rates) {
  return (Words)(rates * 65536.0f + 8388608.0f) - 0x4B000000u;
}

// The fractional part of a rounded rate: 0 where the spikes are certain.
INLINE Words Chance(Words rates) { return rates << (32 - kPlanes); }
INLINE Words Certain(Words rates) { return -(rates >> kPlanes); }

// Compares thresholds, as bernoulli.planes draws them, with rates, from the highest
// bit plane down. The lowest planes are drawn only in the rare case that a threshold
// and its rate agree in all others. The keys are [2, kPlanes].
INLINE Words Compare(const uint32_t* keys, Words mixed, Words rates) {
  constexpr int kRarePlanes = 4;
  Words fires = Certain(rates), bits = Chance(rates), equal = ~Words{};
  for (int plane = kPlanes - 1; plane >= 0; --plane) {
    if (plane == kRarePlanes - 1 && !NonZero(equal)) break;
    const Words drawn = Mix((mixed ^ keys[plane]) + keys[plane + kPlanes]);
    // An arithmetic shift copies the highest bit to all bits of the word.
    const Words is_set = (Words)((Signed)bits >> 31);
    const Words differ = equal & (drawn ^ is_set);
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
  const uint32_t mask = NonZero(wanted);
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

// Samples Bernoulli trains. Draws only for neurons whose spikes are random: many
// pixels are black, and many neurons are saturated or have a gate of 0.
void SampleHashed(const Row& row, int64_t neurons, int64_t) {
  uint32_t* chosen = Scratch<uint32_t>(2 * (neurons + kLanes));
  uint32_t* rates = chosen + neurons + kLanes;
  int64_t size = 0;
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const Words rounded = Round(Load<Floats>(row.rates + first, count));
    Store(row.spikes + first, Certain(rounded) & row.mask, count);
    size += Append(Chance(rounded), static_cast<uint32_t>(first) + kLane,
                   rounded, chosen + size, rates + size);
  }
  std::fill_n(chosen + size, kLanes, 0);
  for (int64_t first = 0; first < size; first += kLanes) {
    // The counter of the first neuron, and the step to the next.
    const Words counters =
        row.own[0] + row.own[1] * Load<Words>(chosen + first, kLanes);
    const Words fires =
        Compare(row.shared + 1, Mix(counters ^ row.shared[0]),
                Load<Words>(rates + first, kLanes)) & row.mask;
    uint32_t fired[kLanes];
    std::memcpy(fired, &fires, sizeof(fired));
    const int64_t last = std::min<int64_t>(kLanes, size - first);
    for (int64_t lane = 0; lane < last; ++lane) {
      row.spikes[chosen[first + lane]] = fired[lane];
    }
  }
}

// Samples Sobol trains. The point at the first tick and the planes of the top bits
// are those of the word, the shifts those of the neurons.
void SampleSobol(const Row& row, int64_t neurons, int64_t num_own) {
  constexpr int kTopPlanes = 5, kLowPlanes = kPlanes - kTopPlanes;
  constexpr uint32_t kLow = (1 << kLowPlanes) - 1;
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const Words rates = Round(Load<Floats>(row.rates + first, count));
    Words fires = Certain(rates);
    if (NonZero(Chance(rates))) {
      const Words shifts = num_own == 1 ? Words{} + row.own[0]
                                        : Load<Words>(row.own + first, count);
      const Words points = row.shared[0] ^ shifts;
      auto below = (Words)((points & kLow) < (rates & kLow));
      for (int plane = 0; plane < kTopPlanes; ++plane) {
        const int shift = 31 - kLowPlanes - plane;
        const auto is_set = (Words)((Signed)(rates << shift) >> 31);
        const Words drawn =
            row.shared[1 + plane] ^ (Words)((Signed)(points << shift) >> 31);
        below = Majority(is_set, ~drawn, below);
      }
      fires |= below;
    }
    Store(row.spikes + first, fires & row.mask, count);
  }
}

// Operands, each with the leading axes of `vmap`:
//   shared [..., S], own [..., O], rates [..., N], masks [...].
template <void (*kSample)(const Row&, int64_t neurons, int64_t num_own)>
ffi::Error Sample(ffi::ThreadPool pool, U32 shared, U32 own, F32 rates,
                  U32 masks, ffi::ResultBuffer<ffi::U32> spikes) {
  const auto shape = spikes->dimensions();
  const int64_t num_axes = shape.size() - 1, neurons = shape[num_axes];
  const int64_t num_own = own.dimensions()[num_axes];
  const int64_t num_rows = NumRows(shape, num_axes);
  constexpr int64_t kWordsPerTask = 1 << 13;
  const int64_t grain =
      CeilDivide(kWordsPerTask, std::max(neurons, kLanes + 0L));
  ParallelFor(pool, CeilDivide(num_rows, grain), [&](int64_t task) {
    const int64_t end = std::min((task + 1) * grain, num_rows);
    for (int64_t at = task * grain; at < end; ++at) {
      const auto find = [&](const auto& operand) {
        return RowOf(operand, shape, num_axes, at);
      };
      const Row row = {find(shared), find(own), find(rates), *find(masks),
                       spikes->typed_data() + at * neurons};
      if (row.mask) {
        kSample(row, neurons, num_own);
      } else {
        std::memset(row.spikes, 0, 4 * neurons);
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

#define DEFINE_SAMPLER(name, sample)                        \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, Sample<sample>,       \
                                ffi::Ffi::Bind()            \
                                    .Ctx<ffi::ThreadPool>() \
                                    .Arg<U32>()             \
                                    .Arg<U32>()             \
                                    .Arg<F32>()             \
                                    .Arg<U32>()             \
                                    .Ret<U32>())

DEFINE_SAMPLER(ssnn_sample_hashed, SampleHashed);
DEFINE_SAMPLER(ssnn_sample_sobol, SampleSobol);

}  // namespace ssnn
