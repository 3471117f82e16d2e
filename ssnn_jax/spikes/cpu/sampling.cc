// Samples spikes: draws thresholds and compares them with rates. The pure-JAX
// references are `fire` of `BitPlanes` and of `SobolWord`; the spikes are equal.

#include "common.h"

namespace ssnn {
namespace {

constexpr int kPlanes = 16;  // bits of a threshold
constexpr Words kLane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

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

// One sample, word and window.
struct Row {
  const uint32_t* shared;  // state of the word
  const uint32_t* own;     // state of the sample and its neurons
  const float* rates;
  uint32_t mask;
  uint32_t* spikes;
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
void SampleRow(const Row& row, int64_t neurons) {
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
    const auto planes = Hashed(row).Draw(Load<Words>(chosen + first, kLanes));
    const Words fires =
        Compare(planes, Load<Words>(rates + first, kLanes)) & row.mask;
    uint32_t fired[kLanes];
    std::memcpy(fired, &fires, sizeof(fired));
    const int64_t last = std::min<int64_t>(kLanes, size - first);
    for (int64_t lane = 0; lane < last; ++lane) {
      row.spikes[chosen[first + lane]] = fired[lane];
    }
  }
}

// Samples windows of the same word, which share their thresholds.
void SampleWindows(const Row* begin, const Row* end, int64_t neurons) {
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const auto draw = Hashed(*begin).Draw(static_cast<uint32_t>(first) + kLane);
    Words drawn[kPlanes];
    for (int plane = 0; plane < kPlanes; ++plane) drawn[plane] = draw(plane);
    const auto planes = [&drawn](int plane) { return drawn[plane]; };
    for (const Row* row = begin; row != end; ++row) {
      const Words rates = Round(Load<Floats>(row->rates + first, count));
      Store(row->spikes + first, Compare(planes, rates) & row->mask, count);
    }
  }
}

// Samples consecutive rows of one sample.
struct HashedSampler {
  static bool IsTogether(const Row& first, const Row& row) {
    return first.own == row.own && first.shared == row.shared;
  }
  static void Sample(const Row* begin, const Row* end, int64_t neurons,
                     int64_t num_own) {
    if (end - begin == 1) {
      SampleRow(*begin, neurons);
    } else {
      SampleWindows(begin, end, neurons);
    }
  }
};

// Thresholds of SobolWord: the point at the first tick and the planes of the top
// bits are those of the word, the shifts those of the neurons.
struct SobolSampler {
  static constexpr int kTopPlanes = 5;
  static constexpr uint32_t kLow = (1 << (kPlanes - kTopPlanes)) - 1;

  static bool IsTogether(const Row& first, const Row& row) {
    return first.own == row.own;
  }

  static INLINE Words Fire(const uint32_t* shared, Words shifts, Words rates) {
    const Words points = shared[0] ^ shifts;
    auto below = (Words)((points & kLow) < (rates & kLow));
    for (int plane = 0; plane < kTopPlanes; ++plane) {
      const int shift = 31 - (kPlanes - kTopPlanes) - plane;
      const auto is_set = (Words)((Signed)(rates << shift) >> 31);
      const Words drawn =
          shared[1 + plane] ^ (Words)((Signed)(points << shift) >> 31);
      below = Majority(is_set, ~drawn, below);
    }
    return below | Certain(rates);
  }

  static void Sample(const Row* begin, const Row* end, int64_t neurons,
                     int64_t num_own) {
    for (int64_t first = 0; first < neurons; first += kLanes) {
      const int64_t count = neurons - first;
      const Words shifts = num_own == 1
                               ? Words{} + begin->own[0]
                               : Load<Words>(begin->own + first, count);
      for (const Row* row = begin; row != end; ++row) {
        const Words rates = Round(Load<Floats>(row->rates + first, count));
        Words fires = Certain(rates);
        if (Any(Chance(rates))) fires = Fire(row->shared, shifts, rates);
        Store(row->spikes + first, fires & row->mask, count);
      }
    }
  }
};

// Index of a row of an operand, whose axes of size 1 are broadcast.
INLINE int64_t RowOf(ffi::Span<const int64_t> axes,
                     ffi::Span<const int64_t> shape, int64_t num_axes,
                     uint32_t row) {
  int64_t place = 0, stride = 1;
  for (int64_t axis = num_axes - 1; axis >= 0 && row > 0; --axis) {
    const auto size = static_cast<uint32_t>(shape[axis]);
    if (axes[axis] > 1) {
      place += row % size * stride;
      stride *= size;
    }
    row /= size;
  }
  return place;
}

// Operands, each with the leading axes of `vmap`:
//   shared [..., S], own [..., O], rates [..., N], mask [..., 1].
template <typename Sampler>
ffi::Error Sample(ffi::ThreadPool pool, U32 shared, U32 own, F32 rates,
                  U32 mask, ffi::ResultBuffer<ffi::U32> spikes) {
  const auto shape = spikes->dimensions();
  const int64_t num_axes = shape.size() - 1, neurons = shape[num_axes];
  int64_t num_rows = 1;
  for (int64_t axis = 0; axis < num_axes; ++axis) num_rows *= shape[axis];
  auto place = [&](const auto& operand, int64_t row) {
    const int64_t size = operand.dimensions()[num_axes];
    const int64_t at = RowOf(operand.dimensions(), shape, num_axes, row);
    return operand.typed_data() + at * size;
  };

  constexpr int64_t kWordsPerTask = 1 << 13;
  const int64_t grain = CeilDivide(kWordsPerTask, std::max(neurons, kLanes + 0L));
  ParallelFor(pool, CeilDivide(num_rows, grain), [&](int64_t task) {
    const int64_t begin = task * grain, end = std::min(begin + grain, num_rows);
    std::vector<Row> rows;
    rows.reserve(end - begin);
    for (int64_t row = begin; row < end; ++row) {
      uint32_t* to = spikes->typed_data() + row * neurons;
      const uint32_t ticks = *place(mask, row);
      if (ticks == 0) {  // the window has no ticks in this word
        std::memset(to, 0, 4 * neurons);
        continue;
      }
      rows.push_back({place(shared, row), place(own, row), place(rates, row),
                      ticks, to});
    }
    for (auto row = rows.data(), last = row + rows.size(); row != last;) {
      auto next = row + 1;
      while (next != last && Sampler::IsTogether(*row, *next)) ++next;
      Sampler::Sample(row, next, neurons, own.dimensions()[num_axes]);
      row = next;
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
