// Counts coincidences. The pure-JAX reference is `coincidence._count_packed`; the
// counts are equal.
//
// A synapse counts only where its error spikes, and errors are sparse: an error
// spike adds the presynaptic spikes of its tick, 64 neurons at a time.

#include <array>
#include <utility>

#include "common.h"

namespace ssnn {
namespace {

constexpr int kTicks = 32;           // of a word
constexpr int64_t kNeurons = 64;     // in parallel: bits of a mask, or bytes
constexpr int64_t kMaxVectors = 14;  // of counts that stay in registers
constexpr int64_t kMaxRows = 128;    // words of a neuron at a time

using Bytes = uint8_t __attribute__((vector_size(kNeurons)));
using Quarter = uint8_t __attribute__((vector_size(kLanes)));
using Shorts = int16_t __attribute__((vector_size(2 * kLanes)));
using HalfShorts = int16_t __attribute__((vector_size(kLanes)));

// Spikes at the two ends of a layer's synapses, word after word.
struct Synapses {
  const uint32_t* presynaptic;  // [rows, inputs]
  const uint32_t* positive;     // [rows, outputs]
  const uint32_t* negative;     // [rows, outputs]
  int32_t* counts;              // [inputs, outputs], added to
  int64_t rows, inputs, outputs;
};

// The highest bit of each byte.
INLINE uint64_t HighBits(Bytes bytes) {
#ifdef __AVX512BW__
  return _mm512_movepi8_mask((__m512i)bytes);
#else
  uint64_t parts[8], mask = 0;
  std::memcpy(parts, &bytes, sizeof(parts));
  for (int part = 0; part < 8; ++part) {
    const uint64_t bits = parts[part] & 0x8080808080808080u;
    mask |= (bits * 0x0002040810204081u >> 56) << 8 * part;
  }
  return mask;
#endif
}

// Adds to the bytes whose bit is set.
INLINE Bytes AddWhere(uint64_t mask, Bytes bytes, Bytes more) {
#ifdef __AVX512BW__
  return (Bytes)_mm512_mask_add_epi8((__m512i)bytes, mask, (__m512i)bytes,
                                     (__m512i)more);
#else
  constexpr uint64_t kOnes = 0x0101010101010101u;
  uint64_t chosen[8];
  for (int part = 0; part < 8; ++part) {
    const uint64_t bits =
        ((mask >> 8 * part & 255) * kOnes) & 0x8040201008040201u;
    chosen[part] = ((bits + 127 * kOnes) >> 7 & kOnes) * 255;
  }
  Bytes selected;
  std::memcpy(&selected, chosen, sizeof(selected));
  return bytes + (more & selected);
#endif
}

INLINE Signed Widen(Shorts shorts) {
#ifdef __AVX512BW__
  return (Signed)_mm512_cvtepi16_epi32((__m256i)shorts);
#else
  return __builtin_convertvector(shorts, Signed);
#endif
}

// Transposes the words of up to 64 neurons to one mask a tick; the masks
// are `stride` apart.
INLINE void TurnWords(const uint32_t* words, int64_t count, uint64_t* masks,
                      int64_t stride) {
  alignas(kNeurons) uint8_t quarters[4][kNeurons] = {};  // of the words
  for (int64_t first = 0; first < std::min(count, kNeurons); first += kLanes) {
    const Words spikes = Load<Words>(words + first, count - first);
    for (int quarter = 0; quarter < 4; ++quarter) {
      const Quarter bytes =
          __builtin_convertvector(spikes >> 8 * quarter, Quarter);
      std::memcpy(quarters[quarter] + first, &bytes, sizeof(bytes));
    }
  }
  for (int quarter = 0; quarter < 4; ++quarter) {
    Bytes bytes;
    std::memcpy(&bytes, quarters[quarter], sizeof(bytes));
    for (int tick = 8 * quarter + 7; tick >= 8 * quarter; --tick) {
      masks[tick * stride] = HighBits(bytes);
      bytes += bytes;
    }
  }
}

// An error spike of a neuron: twice its tick, counted over all words, plus 1 in
// the negative stream.
struct Events {
  static constexpr int kAtOnce = 4;
  static_assert(2 * kMaxRows * kTicks <= 1 << 16);
  uint16_t list[kMaxRows * kTicks + kAtOnce];
  int64_t size;
};

// Lists the error spikes of a neuron, whose words are `stride` apart.
void ListEvents(const uint32_t* positive, const uint32_t* negative,
                int64_t stride, int64_t rows, Events& events) {
  uint16_t* next = events.list;
  for (int64_t row = 0; row < rows; ++row) {
    const uint32_t falls = negative[row * stride];
    uint32_t spikes = positive[row * stride] | falls;
    uint16_t* to = next;
    next += __builtin_popcount(spikes);
    const auto append = [&]() INLINE_LAMBDA {
      const uint32_t tick = __builtin_ctz(spikes | 1u << (kTicks - 1));
      *to++ = 2 * (row * kTicks + tick) + (falls >> tick & 1);
      spikes &= spikes - 1;
    };
    // The first few without a branch, which would be mispredicted.
    for (int place = 0; place < Events::kAtOnce; ++place) append();
    while (spikes) append();
  }
  events.size = next - events.list;
}

// Adds up the masks [ticks, kVectors] at the ticks of events.
template <int64_t kVectors>
void AddEvents(const Events& events, const uint64_t* masks, int16_t* to) {
  constexpr int64_t kMaxEvents = 127;  // largest count of a byte
  const Bytes signs[2] = {Bytes{} + 1, Bytes{} - 1};
  std::memset(to, 0, kVectors * kNeurons * sizeof(*to));
  for (int64_t first = 0; first < events.size; first += kMaxEvents) {
    const int64_t last = std::min(first + kMaxEvents, events.size);
    Bytes bytes[kVectors] = {};
    for (int64_t event = first; event < last; ++event) {
      const uint64_t* of_tick = masks + (events.list[event] >> 1) * kVectors;
      const Bytes sign = signs[events.list[event] & 1];
      for (int64_t vector = 0; vector < kVectors; ++vector) {
        bytes[vector] = AddWhere(of_tick[vector], bytes[vector], sign);
      }
    }
    int8_t sums[kVectors * kNeurons];
    std::memcpy(sums, bytes, sizeof(sums));
    for (int64_t neuron = 0; neuron < kVectors * kNeurons; ++neuron) {
      to[neuron] += sums[neuron];
    }
  }
}

template <size_t... kIndices>
constexpr auto TabulateAddEvents(std::index_sequence<kIndices...>) {
  return std::array{&AddEvents<kIndices + 1>...};
}

// Interleaves two vectors, from their first or second half.
template <int kHalf>
INLINE HalfShorts Interleave(HalfShorts even, HalfShorts odd) {
  constexpr int k = 4 * kHalf;
#ifdef __clang__
  return __builtin_shufflevector(even, odd, k, k + 8, k + 1, k + 9, k + 2,
                                 k + 10, k + 3, k + 11);
#else
  return __builtin_shuffle(
      even, odd,
      HalfShorts{k, k + 8, k + 1, k + 9, k + 2, k + 10, k + 3, k + 11});
#endif
}

// Adds sums [kLanes, stride] of columns to counts [inputs, outputs].
void AddColumns(const int16_t* sums, int64_t stride, int32_t* counts,
                int64_t inputs, int64_t outputs, int64_t columns) {
  constexpr int64_t kRows = kLanes / 2;
  for (int64_t first = 0; first < inputs; first += kRows) {
    HalfShorts block[kLanes], next[kLanes];
    for (int64_t column = 0; column < kLanes; ++column) {
      std::memcpy(&block[column], sums + column * stride + first,
                  sizeof(HalfShorts));
    }
    for (int round = 0; round < 4; ++round) {  // transposes the block
      for (int64_t pair = 0; pair < kLanes / 2; ++pair) {
        const HalfShorts even = block[pair], odd = block[pair + kLanes / 2];
        next[2 * pair] = Interleave<0>(even, odd);
        next[2 * pair + 1] = Interleave<1>(even, odd);
      }
      std::memcpy(block, next, sizeof(block));
    }
    for (int64_t row = 0; row < std::min(kRows, inputs - first); ++row) {
      int32_t* to = counts + (first + row) * outputs;
      Shorts more;
      std::memcpy(&more, &block[2 * row], sizeof(more));
      Store(to, Load<Words>(to, columns) + (Words)Widen(more), columns);
    }
  }
}

// Counts for `vectors` * kNeurons inputs from `first` on.
void CountInputs(const Synapses& synapses, const Events* events, int64_t first,
                 int64_t vectors) {
  static constexpr auto kAddEvents =
      TabulateAddEvents(std::make_index_sequence<kMaxVectors>());
  const int64_t left = synapses.inputs - first, outputs = synapses.outputs;
  uint64_t* masks = Scratch<uint64_t>(synapses.rows * kTicks * vectors);
  for (int64_t row = 0; row < synapses.rows; ++row) {
    const uint32_t* words = synapses.presynaptic + row * synapses.inputs + first;
    for (int64_t vector = 0; vector < vectors; ++vector) {
      TurnWords(words + vector * kNeurons, left - vector * kNeurons,
                masks + row * kTicks * vectors + vector, vectors);
    }
  }
  const int64_t stride = vectors * kNeurons;
  int16_t* sums = Scratch<int16_t>(kLanes * stride);
  for (int64_t group = 0; group < outputs; group += kLanes) {
    const int64_t columns = std::min<int64_t>(kLanes, outputs - group);
    for (int64_t column = 0; column < columns; ++column) {
      kAddEvents[vectors - 1](events[group + column], masks,
                              sums + column * stride);
    }
    AddColumns(sums, stride, synapses.counts + first * outputs + group,
               std::min(left, stride), outputs, columns);
  }
}

// Counts up to kMaxRows rows. Each thread has inputs of its own, since reading
// memory that another core has written is slow.
void CountRows(ffi::ThreadPool& pool, const Synapses& synapses) {
  const int64_t outputs = synapses.outputs;
  const int64_t vectors = CeilDivide(synapses.inputs, kNeurons);
  // Adding a sum to a count takes as long as counting a few words at its
  // synapse, and waking a thread as long as counting many.
  constexpr int64_t kWordsPerSum = 16, kWordsPerThread = 1 << 20;
  const int64_t words =
      (synapses.rows + kWordsPerSum) * synapses.inputs * outputs;
  const int64_t threads =
      std::clamp<int64_t>(words / kWordsPerThread, 1, pool.num_threads());

  Events* events = Scratch<Events>(outputs);
  const int64_t columns =
      std::min<int64_t>(CeilDivide(outputs, threads), kLanes);
  ParallelFor(pool, CeilDivide(outputs, columns), [&](int64_t task) {
    const int64_t begin = task * columns;
    const int64_t end = std::min(begin + columns, outputs);
    for (int64_t column = begin; column < end; ++column) {
      ListEvents(synapses.positive + column, synapses.negative + column,
                 outputs, synapses.rows, events[column]);
    }
  });
  const int64_t per_task = std::min(CeilDivide(vectors, threads), kMaxVectors);
  ParallelFor(pool, CeilDivide(vectors, per_task), [&](int64_t task) {
    const int64_t first = task * per_task;
    CountInputs(synapses, events, first * kNeurons,
                std::min(per_task, vectors - first));
  });
}

// Operands with any number of leading axes, the same ones for all:
//   before [..., I, J], presynaptic [..., R, I], positive, negative [..., R, J].
ffi::Error Count(ffi::ThreadPool pool, S32 before, U32 presynaptic,
                 U32 positive, U32 negative,
                 ffi::ResultBuffer<ffi::S32> counts) {
  if (counts->typed_data() != before.typed_data()) {
    std::memcpy(counts->typed_data(), before.typed_data(), before.size_bytes());
  }
  const auto ends = presynaptic.dimensions(), shape = counts->dimensions();
  const int64_t axis = shape.size() - 2;
  const int64_t rows = ends[axis], inputs = shape[axis];
  const int64_t outputs = shape[axis + 1];
  int64_t layers = 1;
  for (int64_t leading = 0; leading < axis; ++leading) layers *= shape[leading];
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t row = 0; row < rows; row += kMaxRows) {
      const int64_t from = layer * rows + row;
      CountRows(pool, {presynaptic.typed_data() + from * inputs,
                       positive.typed_data() + from * outputs,
                       negative.typed_data() + from * outputs,
                       counts->typed_data() + layer * inputs * outputs,
                       std::min(kMaxRows, rows - row), inputs, outputs});
    }
  }
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_count, Count,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<S32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Ret<S32>());

}  // namespace ssnn
