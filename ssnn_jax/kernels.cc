// The two inner loops of a spiking network on CPU, as XLA custom calls: sampling
// spikes and counting coincidences. Their pure-JAX twins, `spikes.fire` and
// `coincidence.count_packed`, say what they compute; the bits are the same.
//
// The file is compiled for the processor it runs on (`kernels.py`).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

#ifdef __AVX512VPOPCNTDQ__
#include <immintrin.h>
#endif
#ifdef __AMX_INT8__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace ffi = xla::ffi;

namespace {

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

constexpr int kLanes = 16;   // neurons side by side in a vector
constexpr int kPlanes = 16;  // bits of a threshold

using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Signed = int32_t __attribute__((vector_size(4 * kLanes)));
using Floats = float __attribute__((vector_size(4 * kLanes)));

// Loads up to kLanes values; lanes beyond are 0.
template <typename Vector>
INLINE Vector Load(const void* from, int64_t count) {
  Vector vector = {};
  if (count >= kLanes) {
    std::memcpy(&vector, from, sizeof(vector));
  } else {
    std::memcpy(&vector, from, 4 * count);
  }
  return vector;
}

// Stores up to kLanes values.
template <typename Vector>
INLINE void Store(void* to, Vector vector, int64_t count) {
  if (count >= kLanes) {
    std::memcpy(to, &vector, sizeof(vector));
  } else {
    std::memcpy(to, &vector, 4 * count);
  }
}

// Runs run(0) to run(size - 1) on XLA's threads and on this one. It waits for
// tasks that have begun only, so that a busy pool cannot lock it.
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

// ---------------------------------------------------------------- sampling

// thresholds.lowbias32
INLINE Words Mix(Words x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

// What the thresholds of one sample and word are made from. `Draw` readies
// kLanes neurons from `first` on; the functor it returns makes their bit planes.

struct HashedSource {  // thresholds.hashed_words
  const uint32_t* keys;
  const uint32_t* counter;  // of the first neuron, and the step to the next

  HashedSource(const uint32_t* shared, const uint32_t* own, int64_t)
      : keys(shared), counter(own) {}

  bool operator==(const HashedSource& other) const {
    return keys == other.keys && counter == other.counter;
  }

  INLINE auto Draw(int64_t first, int64_t) const {
    constexpr Words kLane = {0, 1, 2,  3,  4,  5,  6,  7,
                             8, 9, 10, 11, 12, 13, 14, 15};
    const uint32_t start =
        counter[0] + counter[1] * static_cast<uint32_t>(first);
    const Words mixed = Mix((start + counter[1] * kLane) ^ keys[0]);
    return [mixed, pairs = keys + 1](int plane) INLINE_LAMBDA {
      return Mix((mixed ^ pairs[plane]) + pairs[plane + kPlanes]);
    };
  }
};

struct ShiftedSource {  // thresholds.shifted_words
  const uint32_t* sequence;
  const uint32_t* shifts;  // of each neuron, or one for all
  bool is_shared;

  ShiftedSource(const uint32_t* shared, const uint32_t* own, int64_t own_size)
      : sequence(shared), shifts(own), is_shared(own_size == 1) {}

  bool operator==(const ShiftedSource& other) const {
    return sequence == other.sequence && shifts == other.shifts;
  }

  INLINE auto Draw(int64_t first, int64_t count) const {
    const Words shift = is_shared ? Words{} + *shifts
                                  : Load<Words>(shifts + first, count);
    return [shift, this](int plane) INLINE_LAMBDA {
      return sequence[plane] ^ -((shift >> plane) & 1);
    };
  }
};

// spikes.compare; adding 2**23 rounds a float to the nearest integer, ties to
// even, and leaves it in the low bits.
template <typename Planes>
INLINE Words Compare(const Planes& planes, Floats rates) {
  const Floats rounded = rates * 65536.0f + 8388608.0f;
  const Words target = (Words)rounded - 0x4B000000u;
  Words below = {};
  for (int plane = 0; plane < kPlanes; ++plane) {
    // The bit, as the sign of a word, spreads over it.
    const Words is_set = (Words)((Signed)(target << (31 - plane)) >> 31);
    const Words zeros = ~planes(plane);
    below = (zeros & below) | (is_set & (zeros | below));
  }
  return below | -(target >> kPlanes);
}

// The place of an operand's row among its rows, where an axis of size 1 stands
// for all places along it.
int64_t RowOf(ffi::Span<const int64_t> axes, ffi::Span<const int64_t> shape,
              int64_t num_axes, int64_t row) {
  int64_t place = 0, stride = 1;
  for (int64_t axis = num_axes - 1; axis >= 0; --axis) {
    if (axes[axis] > 1) place += row % shape[axis] * stride;
    row /= shape[axis];
    stride *= axes[axis];
  }
  return place;
}

using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;
using F32 = ffi::Buffer<ffi::F32>;

// One sample, word and window.
template <typename Source>
struct Row {
  Source source;
  const float* rates;
  uint32_t mask;
  uint32_t* spikes;
};

template <typename Source>
void SampleRow(const Row<Source>& row, int64_t neurons) {
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const auto planes = row.source.Draw(first, count);
    const Floats rates = Load<Floats>(row.rates + first, count);
    Store(row.spikes + first, Compare(planes, rates) & row.mask, count);
  }
}

// Samples rows that share their thresholds: windows of the same word.
template <typename Source>
void SampleRows(const Row<Source>* begin, const Row<Source>* end,
                int64_t neurons) {
  for (int64_t first = 0; first < neurons; first += kLanes) {
    const int64_t count = neurons - first;
    const auto draw = begin->source.Draw(first, count);
    Words drawn[kPlanes];
    for (int plane = 0; plane < kPlanes; ++plane) drawn[plane] = draw(plane);
    const auto planes = [&drawn](int plane) { return drawn[plane]; };
    for (const Row<Source>* row = begin; row != end; ++row) {
      const Floats rates = Load<Floats>(row->rates + first, count);
      Store(row->spikes + first, Compare(planes, rates) & row->mask, count);
    }
  }
}

// Operands, each with the leading axes that `vmap` has given it:
//   shared [..., S], own [..., O], rates [..., N], mask [..., 1].
template <typename Source>
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

  constexpr int64_t kSpikesPerTask = 1 << 11;
  const int64_t grain = kSpikesPerTask / std::max<int64_t>(neurons, 1) + 1;
  ParallelFor(pool, (num_rows + grain - 1) / grain, [&](int64_t task) {
    const int64_t begin = task * grain, end = std::min(begin + grain, num_rows);
    std::vector<Row<Source>> rows;
    rows.reserve(end - begin);
    for (int64_t row = begin; row < end; ++row) {
      uint32_t* to = spikes->typed_data() + row * neurons;
      const uint32_t ticks = *place(mask, row);
      if (ticks == 0) {  // the window has no tick in this word
        std::memset(to, 0, 4 * neurons);
        continue;
      }
      const Source source(place(shared, row), place(own, row),
                          own.dimensions()[num_axes]);
      rows.push_back({source, place(rates, row), ticks, to});
    }
    for (auto row = rows.data(), last = row + rows.size(); row != last;) {
      auto next = row + 1;
      while (next != last && next->source == row->source) ++next;
      if (next - row == 1) {
        SampleRow(*row, neurons);
      } else {
        SampleRows(row, next, neurons);
      }
      row = next;
    }
  });
  return ffi::Error::Success();
}

// ---------------------------------------------------------------- counting

// Without population count in vectors the pure-JAX twin is faster.
#ifdef __AVX512VPOPCNTDQ__

// Spikes at the two ends of a layer's synapses, word after word.
struct Synapses {
  const uint32_t* presynaptic;  // [rows, inputs]
  const uint32_t* positive;     // [rows, outputs]
  const uint32_t* negative;     // [rows, outputs]
  int32_t* counts;              // [inputs, outputs], added to
  int64_t rows, inputs, outputs;
};

INLINE Words PopulationCount(Words words) {
  return (Words)_mm512_popcnt_epi32((__m512i)words);
}

constexpr int kInputsPerBlock = 8;    // their counts stay in registers
constexpr int kInputsPerTiles = 32;  // two tiles

void CountBlock(const Synapses& synapses, int64_t begin, int64_t end) {
  const int64_t outputs = synapses.outputs;
  for (int64_t first = 0; first < outputs; first += kLanes) {
    const int64_t count = outputs - first;
    Words counts[kInputsPerBlock] = {};
    for (int64_t row = 0; row < synapses.rows; ++row) {
      const int64_t from = row * outputs + first;
      const Words positive = Load<Words>(synapses.positive + from, count);
      const Words negative = Load<Words>(synapses.negative + from, count);
      const uint32_t* words = synapses.presynaptic + row * synapses.inputs;
      for (int input = 0; input < kInputsPerBlock; ++input) {
        const uint32_t word = words[std::min(begin + input, end - 1)];
        counts[input] += PopulationCount(positive & word) -
                         PopulationCount(negative & word);
      }
    }
    for (int64_t input = begin; input < end; ++input) {
      int32_t* to = synapses.counts + input * outputs + first;
      Store(to, Load<Words>(to, count) + counts[input - begin], count);
    }
  }
}

// Counts for the inputs from begin to end.
void CountWords(const Synapses& synapses, int64_t begin, int64_t end) {
  for (int64_t first = begin; first < end; first += kInputsPerBlock) {
    CountBlock(synapses, first, std::min(end, first + kInputsPerBlock));
  }
}

#ifdef __AMX_INT8__

// A byte a tick: 16 neurons and two words of 32 ticks.
struct alignas(64) Tile {
  int8_t bytes[16][64];
};

// The counts of 16 inputs and 16 outputs.
struct alignas(64) CountTile {
  int32_t counts[16][16];
};

constexpr int64_t kTileNeurons = 16, kTileRows = 2;
// What a thread works on at a time: its inputs stay in the first cache of its
// core, its errors and counts in the second. Kept from call to call, since fresh
// memory is slow.
constexpr int64_t kMaxPairs = 8, kMaxColumns = 16, kMaxBlocks = 16;

struct Workspace {
  Tile errors[kMaxColumns][kMaxPairs];
  Tile inputs[kMaxPairs][2];
  CountTile counts[kMaxBlocks][kMaxColumns][2];
};

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Linux lends the tiles to those who ask.
bool HasTiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static const bool has =
      syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return has;
}

// Unpacks the signed error spikes of a word into half a tile: its row r holds
// ticks 4r to 4r + 3 of each neuron, as the product's right operand must.
INLINE void UnpackErrors(Words positive, Words negative, int8_t (*rows)[64]) {
  auto spread = [](Words words, int row) {  // bit k of a nibble to byte k
    return (__m512i)((((words >> (4 * row)) & 15) * 0x00204081u) & 0x01010101u);
  };
  for (int row = 0; row < 8; ++row) {
    _mm512_store_si512(rows[row], _mm512_sub_epi8(spread(positive, row),
                                                  spread(negative, row)));
  }
}

// Makes the tiles of the errors of outputs, [columns, pairs].
void UnpackErrors(const Synapses& synapses, int64_t pairs, int64_t begin,
                  int64_t end, Tile (*tiles)[kMaxPairs]) {
  for (int64_t first = begin; first < end; first += kTileNeurons, ++tiles) {
    const int64_t count = end - first;
    for (int64_t row = 0; row < kTileRows * pairs; ++row) {
      Words positive = {}, negative = {};
      if (row < synapses.rows) {
        const int64_t from = row * synapses.outputs + first;
        positive = Load<Words>(synapses.positive + from, count);
        negative = Load<Words>(synapses.negative + from, count);
      }
      Tile& tile = (*tiles)[row / kTileRows];
      UnpackErrors(positive, negative, tile.bytes + row % kTileRows * 8);
    }
  }
}

// Makes the tiles of a block of inputs, [pairs, 2].
void UnpackInputs(const Synapses& synapses, int64_t pairs, int64_t first,
                  Tile (*tiles)[2]) {
  const int64_t stride = synapses.inputs, count = stride - first;
  const __m512i one = _mm512_set1_epi8(1);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const uint32_t* words =
        synapses.presynaptic + kTileRows * pair * stride + first;
    const bool is_whole = kTileRows * pair + 1 < synapses.rows;
    for (int64_t neuron = 0; neuron < kInputsPerTiles; ++neuron) {
      uint64_t ticks = 0;
      if (neuron < count) {
        ticks = words[neuron];
        if (is_whole) ticks |= uint64_t{words[stride + neuron]} << 32;
      }
      Tile& tile = tiles[pair][neuron / kTileNeurons];
      _mm512_store_si512(tile.bytes[neuron % kTileNeurons],
                         _mm512_maskz_mov_epi8(ticks, one));
    }
  }
}

// Adds to the counts of two tiles of inputs and two of outputs, [outputs,
// inputs], by a matrix product over ticks and batch. Loads alternate with
// products, which hide them.
INLINE void Multiply(const Tile (*inputs)[2], const Tile* left,
                     const Tile* right, int64_t pairs, CountTile (*counts)[2]) {
  _tile_loadd(0, &counts[0][0], 64);
  _tile_loadd(1, &counts[1][0], 64);
  _tile_loadd(2, &counts[0][1], 64);
  _tile_loadd(3, &counts[1][1], 64);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    _tile_loadd(4, &inputs[pair][0], 64);
    _tile_loadd(6, &left[pair], 64);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(5, &inputs[pair][1], 64);
    _tile_dpbssd(2, 5, 6);
    _tile_loadd(7, &right[pair], 64);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, &counts[0][0], 64);
  _tile_stored(1, &counts[1][0], 64);
  _tile_stored(2, &counts[0][1], 64);
  _tile_stored(3, &counts[1][1], 64);
}

// A part of the synapses: ranges of their ends.
struct Part {
  int64_t first_input, last_input, first_output, last_output;
};

// Adds the counts of a part to the layer's.
void Add(const Synapses& synapses, const Part& part, const Workspace& own) {
  for (int64_t input = part.first_input; input < part.last_input; ++input) {
    const int64_t row = input - part.first_input;
    const auto& block = own.counts[row / kInputsPerTiles];
    const int64_t half = row / kTileNeurons % 2;
    for (int64_t output = part.first_output; output < part.last_output;
         output += kTileNeurons) {
      const auto& tile =
          block[(output - part.first_output) / kTileNeurons][half];
      const int64_t count = part.last_output - output;
      int32_t* to = synapses.counts + input * synapses.outputs + output;
      const Words more = Load<Words>(tile.counts[row % kTileNeurons], kLanes);
      Store(to, Load<Words>(to, count) + more, count);
    }
  }
}

// Counts a part of up to kMaxBlocks blocks and kMaxColumns tiles of outputs.
void CountTiles(const Synapses& synapses, const Part& part, Workspace& own) {
  const int64_t outputs = part.last_output - part.first_output;
  const int64_t columns = (outputs + kTileNeurons - 1) / kTileNeurons;
  constexpr int64_t kMaxRows = kTileRows * kMaxPairs;
  const int64_t inputs = part.last_input - part.first_input;
  const int64_t blocks = (inputs + kInputsPerTiles - 1) / kInputsPerTiles;
  std::memset(own.counts, 0, blocks * sizeof(own.counts[0]));
  for (int64_t row = 0; row < synapses.rows; row += kMaxRows) {
    Synapses rows = synapses;
    rows.presynaptic += row * rows.inputs;
    rows.positive += row * rows.outputs;
    rows.negative += row * rows.outputs;
    rows.rows = std::min(kMaxRows, rows.rows - row);
    const int64_t pairs = (rows.rows + 1) / kTileRows;
    UnpackErrors(rows, pairs, part.first_output, part.last_output, own.errors);
    for (int64_t first = part.first_input; first < part.last_input;
         first += kInputsPerTiles) {
      auto& counts = own.counts[(first - part.first_input) / kInputsPerTiles];
      UnpackInputs(rows, pairs, first, own.inputs);
      for (int64_t column = 0; column < columns; column += 2) {
        // Beside a last column alone stands an old one, whose counts no one reads.
        const Tile* left = own.errors[column];
        const Tile* right = own.errors[std::min(column + 1, kMaxColumns - 1)];
        Multiply(own.inputs, left, right, pairs, &counts[column]);
      }
    }
  }
  Add(synapses, part, own);
}

// Counts for the inputs from begin to end. Each thread unpacks the errors for
// itself: reading them from the cache of another core takes longer.
void CountTiles(const Synapses& synapses, int64_t begin, int64_t end) {
  static thread_local const std::unique_ptr<Workspace> own(new Workspace());
  const TileConfig config;
  _tile_loadconfig(&config);
  constexpr int64_t kMaxOutputs = kTileNeurons * kMaxColumns;
  constexpr int64_t kMaxInputs = kInputsPerTiles * kMaxBlocks;
  for (int64_t output = 0; output < synapses.outputs; output += kMaxOutputs) {
    const int64_t last_output =
        std::min(synapses.outputs, output + kMaxOutputs);
    for (int64_t input = begin; input < end; input += kMaxInputs) {
      const int64_t last_input = std::min(end, input + kMaxInputs);
      CountTiles(synapses, {input, last_input, output, last_output}, *own);
    }
  }
  _tile_release();
}

#endif  // __AMX_INT8__

void CountAll(ffi::ThreadPool& pool, const Synapses& synapses) {
  // Waking a thread takes as long as this many words.
  constexpr int64_t kWordsPerThread = 1 << 18;
  const int64_t words = synapses.rows * synapses.inputs * synapses.outputs;
  const int64_t threads =
      std::clamp<int64_t>(words / kWordsPerThread, 1, pool.num_threads());
  // Ranges of inputs, of whole blocks.
  const int64_t blocks =
      (synapses.inputs + kInputsPerTiles - 1) / kInputsPerTiles;
  const int64_t inputs_per_task =
      (blocks + threads - 1) / threads * kInputsPerTiles;
  const int64_t tasks =
      (synapses.inputs + inputs_per_task - 1) / inputs_per_task;
  ParallelFor(pool, tasks, [&](int64_t task) {
    const int64_t begin = task * inputs_per_task;
    const int64_t end = std::min(begin + inputs_per_task, synapses.inputs);
#ifdef __AMX_INT8__
    constexpr int64_t kMinRows = 8, kMinOutputs = 17;  // unpacking has to pay
    if (synapses.rows >= kMinRows && synapses.outputs >= kMinOutputs &&
        HasTiles()) {
      return CountTiles(synapses, begin, end);
    }
#endif
    CountWords(synapses, begin, end);
  });
}

// Operands with any number of leading axes, the same ones for all:
//   before [..., I, J], presynaptic [..., R, I], positive, negative [..., R, J].
ffi::Error Count(ffi::ThreadPool pool, S32 before, U32 presynaptic,
                 U32 positive, U32 negative, ffi::ResultBuffer<ffi::S32> counts) {
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
    CountAll(pool, {presynaptic.typed_data() + layer * rows * inputs,
                    positive.typed_data() + layer * rows * outputs,
                    negative.typed_data() + layer * rows * outputs,
                    counts->typed_data() + layer * inputs * outputs, rows,
                    inputs, outputs});
  }
  return ffi::Error::Success();
}

#endif  // __AVX512VPOPCNTDQ__

}  // namespace

#define DEFINE_SAMPLE(name, source)                       \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, Sample<source>,     \
                                ffi::Ffi::Bind()          \
                                    .Ctx<ffi::ThreadPool>() \
                                    .Arg<U32>()           \
                                    .Arg<U32>()           \
                                    .Arg<F32>()           \
                                    .Arg<U32>()           \
                                    .Ret<U32>())

DEFINE_SAMPLE(ssnn_sample_hashed, HashedSource);
DEFINE_SAMPLE(ssnn_sample_shifted, ShiftedSource);

#ifdef __AVX512VPOPCNTDQ__
XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_count, Count,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<S32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Ret<ffi::Buffer<ffi::S32>>());
#endif
