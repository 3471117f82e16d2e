// Counts coincidences. The pure-JAX reference is `coincidence._count_packed`; the
// counts are equal.
//
// A synapse counts only where its error spikes, and errors are sparse: words
// without an error are skipped, and an error spike adds the presynaptic spikes of
// its tick, up to 512 neurons at a time. Their counts are held as bit planes, to
// which carry-save adders add eight events at once (R. Harley and D. Seal, in
// H. S. Warren, "Hacker's Delight", chapter 5).

#include "add_columns.h"
#include "bit_counts.h"

namespace ssnn {
namespace {

constexpr int64_t kMaxRows = 256;  // words of a neuron at a time

// Spikes at the two ends of a layer's synapses, word after word.
struct Synapses {
  const uint32_t* presynaptic;  // [..., inputs]
  const uint32_t* positive;     // [..., outputs]
  const uint32_t* negative;     // [..., outputs]
  int32_t* counts;              // [inputs, outputs], added to
  int32_t* errors;              // [outputs], positive minus negative, added to
  int64_t inputs, outputs;
  int64_t rows[kMaxRows];  // rows with errors
  int64_t size;            // number of these rows
};

// Error spikes of a neuron in one stream: their ticks, counted over all words.
struct Events {
  uint16_t* ticks;
  int64_t size;
};

struct Streams {
  Events positive, negative;
};

// Returns the columns with errors of up to kLanes columns of a row.
INLINE uint32_t WithErrors(const Synapses& synapses, int64_t row, int64_t first) {
  const int64_t at = row * synapses.outputs + first;
  const int64_t columns = synapses.outputs - first;
  return NonZero(Load<Words>(synapses.positive + at, columns) |
                 Load<Words>(synapses.negative + at, columns));
}

bool HasErrors(const Synapses& synapses, int64_t row) {
  for (int64_t first = 0; first < synapses.outputs; first += kLanes) {
    if (WithErrors(synapses, row, first)) return true;
  }
  return false;
}

// Adds the spikes of a word that starts at a tick.
INLINE void ListWord(uint32_t spikes, uint16_t first, Events& events) {
  uint16_t* to = events.ticks + events.size;
  events.size += __builtin_popcount(spikes);
#ifdef __AVX512VBMI2__
  alignas(64) static constexpr uint16_t kWord[kTicks] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  const __m512i ticks =
      _mm512_add_epi16(_mm512_load_si512(kWord), _mm512_set1_epi16(first));
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi16(spikes, ticks));
#else
  for (; spikes; spikes &= spikes - 1) *to++ = first + __builtin_ctz(spikes);
#endif
}

// Lists the error spikes of up to kLanes columns. Their last batch is filled up
// with the tick after all words.
void ListEvents(const Synapses& synapses, int64_t first, Streams* streams) {
  const int64_t last = std::min<int64_t>(first + kLanes, synapses.outputs);
  auto list = [&](const uint32_t* words, uint16_t tick, Events Streams::*own) {
    uint32_t lanes = NonZero(Load<Words>(words, synapses.outputs - first));
    for (; lanes; lanes &= lanes - 1) {
      const int lane = __builtin_ctz(lanes);
      ListWord(words[lane], tick, streams[first + lane].*own);
    }
  };
  for (int64_t index = 0; index < synapses.size; ++index) {
    const int64_t at = synapses.rows[index] * synapses.outputs + first;
    // Rows are far apart, and what to do is known only when they are read.
    __builtin_prefetch(synapses.positive + at + 8 * synapses.outputs);
    __builtin_prefetch(synapses.negative + at + 8 * synapses.outputs);
    list(synapses.positive + at, index * kTicks, &Streams::positive);
    list(synapses.negative + at, index * kTicks, &Streams::negative);
  }
  for (int64_t column = first; column < last; ++column) {
    for (Events* own : {&streams[column].positive, &streams[column].negative}) {
      std::fill_n(own->ticks + own->size, BitCounts::kAtOnce,
                  synapses.size * kTicks);
    }
  }
}

// Returns empty lists, with space for all spikes and for a last batch.
Streams* MakeStreams(const Synapses& synapses) {
  const int64_t capacity = (synapses.size + 1) * kTicks;
  uint16_t* ticks = Scratch<uint16_t>(2 * capacity * synapses.outputs);
  Streams* streams = Scratch<Streams>(synapses.outputs);
  for (int64_t column = 0; column < synapses.outputs; ++column) {
    uint16_t* own = ticks + 2 * column * capacity;
    streams[column] = {{own, 0}, {own + capacity, 0}};
  }
  return streams;
}

// Adds up the lines [ticks] at the ticks of both streams, for `count` neurons. Of
// a negative event, the complement of the line is added, minus 1.
void AddEvents(const Streams& streams, const Line* lines, int64_t count,
               int16_t* to) {
  constexpr int64_t kAtOnce = BitCounts::kAtOnce;
  std::memset(to, 0, count * sizeof(*to));
  BitCounts counts;
  int16_t constant = 0;
  for (int is_negative = 0; is_negative < 2; ++is_negative) {
    const Events events = is_negative ? streams.negative : streams.positive;
    const Line sign = Line{} - is_negative;
    for (int64_t first = 0; first < events.size; first += kAtOnce) {
      Line bits[kAtOnce];
      for (int64_t index = 0; index < kAtOnce; ++index) {
        bits[index] = lines[events.ticks[first + index]] ^ sign;
      }
      counts.Add(bits);
      constant -= is_negative * kAtOnce;
      if (counts.batches == BitCounts::kMaxBatches) {
        counts.MoveTo(constant, count, to);
        constant = 0;
      }
    }
  }
  counts.MoveTo(constant, count, to);
}

// Counts for up to kNeurons inputs from `first` to `last`.
void CountInputs(const Synapses& synapses, const Streams* streams,
                 int64_t first, int64_t last) {
  const int64_t inputs = last - first, outputs = synapses.outputs;
  const int64_t num_ticks = synapses.size * kTicks;
  Line* lines = Scratch<Line>(num_ticks + 1);
  lines[num_ticks] = Line{};
  auto words = [&](int64_t row) {
    return synapses.presynaptic + synapses.rows[row] * synapses.inputs + first;
  };
  // A row has some bits of each lane, so that rows of few inputs are transposed
  // together.
  const int64_t bits = CeilDivide(inputs, kLanes), at_once = kTicks / bits;
  for (int64_t first_row = 0; first_row < synapses.size; first_row += at_once) {
    const int64_t rows = std::min(at_once, synapses.size - first_row);
    Line turned[kTicks] = {};
    for (int64_t row = 0; row < rows; ++row) {
      std::memcpy(turned + row * bits, words(first_row + row), 4 * inputs);
      const int64_t next = first_row + rows + row;
      if (next >= synapses.size) continue;
      for (int64_t input = 0; input < inputs; input += kLanes) {
        __builtin_prefetch(words(next) + input);
      }
    }
    Transpose<kTicks>(turned);
    Line* to = lines + first_row * kTicks;
    if (rows == 1) {
      std::memcpy(to, turned, sizeof(turned));
      continue;
    }
    for (int64_t row = 0; row < rows; ++row) {
      for (int tick = 0; tick < kTicks; ++tick) {
        *to++ = turned[tick] >> row * bits & ((1u << bits) - 1);
      }
    }
  }
  int16_t* sums = Scratch<int16_t>(kLanes * kNeurons);
  for (int64_t group = 0; group < outputs; group += kLanes) {
    const int64_t columns = std::min<int64_t>(kLanes, outputs - group);
    int64_t num_events = 0;
    for (int64_t column = 0; column < columns; ++column) {
      const Streams& own = streams[group + column];
      AddEvents(own, lines, inputs, sums + column * kNeurons);
      num_events += own.positive.size + own.negative.size;
    }
    if (num_events) {
      AddColumns(sums, kNeurons, synapses.counts + first * outputs + group,
                 inputs, outputs, columns);
    }
  }
}

// Counts rows with errors. Each thread has inputs of its own, since reading
// memory that another core has written is slow.
void CountRows(ffi::ThreadPool& pool, const Synapses& synapses) {
  // Adding a sum to a count takes as long as counting a few words at its
  // synapse, and waking a thread as long as counting many.
  constexpr int64_t kWordsPerSum = 16, kWordsPerThread = 1 << 20;
  const int64_t words = (synapses.size + kWordsPerSum) * synapses.inputs *
                        synapses.outputs;
  const int64_t threads =
      std::clamp<int64_t>(words / kWordsPerThread, 1, pool.num_threads());

  Streams* streams = MakeStreams(synapses);
  const int64_t groups = CeilDivide(synapses.outputs, kLanes);
  const int64_t groups_per_task = CeilDivide(groups, threads);
  ParallelFor(pool, CeilDivide(groups, groups_per_task), [&](int64_t task) {
    const int64_t begin = task * groups_per_task;
    const int64_t end = std::min(begin + groups_per_task, groups);
    for (int64_t group = begin; group < end; ++group) {
      ListEvents(synapses, group * kLanes, streams);
    }
  });
  for (int64_t column = 0; column < synapses.outputs; ++column) {
    const Streams& own = streams[column];
    synapses.errors[column] += own.positive.size - own.negative.size;
  }
  const int64_t blocks = CeilDivide(synapses.inputs, kLanes);
  const int64_t per_task =
      std::min(CeilDivide(blocks, threads) * kLanes, kNeurons);
  ParallelFor(pool, CeilDivide(synapses.inputs, per_task), [&](int64_t task) {
    const int64_t first = task * per_task;
    CountInputs(synapses, streams, first,
                std::min(first + per_task, synapses.inputs));
  });
}

// Operands with any number of leading axes, the same ones for all:
//   before [..., I, J], presynaptic [..., R, I], positive, negative [..., R, J].
// The results are counts [..., I, J] and, as for an always-on input, the error
// spikes [..., J].
ffi::Error Count(ffi::ThreadPool pool, S32 before, U32 presynaptic,
                 U32 positive, U32 negative,
                 ffi::ResultBuffer<ffi::S32> counts,
                 ffi::ResultBuffer<ffi::S32> errors) {
  if (counts->typed_data() != before.typed_data()) {
    std::memcpy(counts->typed_data(), before.typed_data(), before.size_bytes());
  }
  const auto ends = presynaptic.dimensions(), shape = counts->dimensions();
  const int64_t axis = shape.size() - 2;
  const int64_t rows = ends[axis], inputs = shape[axis];
  const int64_t outputs = shape[axis + 1];
  int64_t layers = 1;
  for (int64_t leading = 0; leading < axis; ++leading) layers *= shape[leading];
  std::memset(errors->typed_data(), 0, errors->size_bytes());
  Synapses synapses;
  synapses.inputs = inputs, synapses.outputs = outputs;
  for (int64_t layer = 0; layer < layers; ++layer) {
    synapses.presynaptic = presynaptic.typed_data() + layer * rows * inputs;
    synapses.positive = positive.typed_data() + layer * rows * outputs;
    synapses.negative = negative.typed_data() + layer * rows * outputs;
    synapses.counts = counts->typed_data() + layer * inputs * outputs;
    synapses.errors = errors->typed_data() + layer * outputs;
    for (int64_t row = 0; row < rows;) {
      synapses.size = 0;
      for (; row < rows && synapses.size < kMaxRows; ++row) {
        synapses.rows[synapses.size] = row;
        synapses.size += HasErrors(synapses, row);
      }
      if (synapses.size) CountRows(pool, synapses);
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
                                  .Ret<S32>()
                                  .Ret<S32>());

}  // namespace ssnn
