// Sums the weights of the rows that spike, tick by tick. The pure-JAX reference is
// `crossbar._sum_rows`; the sums are equal.
//
// Four rows have 16 combinations of spikes, whose sums in one column are the lanes of
// a vector: a permutation looks them up for 16 ticks at once. Groups of rows without
// a spike are skipped, since many pixels are black.

#include "common.h"

#ifdef __AVX512F__

namespace ssnn {
namespace {

constexpr int64_t kGroupRows = 4;
constexpr int64_t kTileGroups = 8;
constexpr int64_t kTileRows = kTileGroups * kGroupRows;  // bits of a mask
constexpr int64_t kVectors = kTicks / kLanes;            // of ticks
constexpr int64_t kColumns = 8;                          // at once
constexpr int64_t kListedAtOnce = 8, kSamplesAtOnce = 64;  // samples of a task

// Sums of a group of rows in some columns, for all combinations of their spikes.
struct Table {
  Words sums[kColumns];
};

// Spikes of 32 rows at each tick.
struct Spikes {
  Words rows[kVectors];
};

// Tabulates a group of [rows, columns] weights.
void Tabulate(const int32_t* weights, int64_t rows, int64_t columns,
              int64_t count, Table& table) {
  for (int64_t column = 0; column < kColumns; ++column) {
    Words sums = {};
    for (int64_t row = 0; row < std::min(rows, kGroupRows); ++row) {
      const uint32_t weight =
          column < count ? weights[row * columns + column] : 0;
      sums += (kLane >> row & 1) * weight;
    }
    table.sums[column] = sums;
  }
}

// Lists the spikes of one sample, and the groups in which there are any.
int64_t ListSpikes(const uint32_t* words, int64_t rows, Spikes* tiles,
                   int32_t* groups) {
  int64_t size = 0;
  for (int64_t first = 0; first < rows; first += kLanes * kTileRows) {
    Words lines[kTicks] = {};  // of rows, then of ticks; a lane is a tile
    const int64_t count = std::min(rows - first, kLanes * kTileRows);
    for (int64_t row = 0; row < count; ++row) {
      lines[row % kTileRows][row / kTileRows] = words[first + row];
    }
    Transpose<kTicks>(lines);
    for (int64_t lane = 0; lane * kTileRows < count; ++lane) {
      const int64_t tile = first / kTileRows + lane;
      uint32_t any = 0;
      for (int tick = 0; tick < kTicks; ++tick) {
        any |= lines[tick][lane];
        tiles[tile].rows[tick / kLanes][tick % kLanes] = lines[tick][lane];
      }
      for (int64_t group = 0; group < kTileGroups; ++group) {
        groups[size] = tile * kTileGroups + group;
        size += (any >> group * kGroupRows & 15) != 0;
      }
    }
  }
  return size;
}

// Sums the groups of one sample in some columns, at all ticks of the word.
void AddGroups(const Table* tables, const Spikes* tiles, const int32_t* groups,
               int64_t size, Words (&sums)[kColumns][kVectors]) {
  for (int64_t at = 0; at < size; ++at) {
    const int64_t group = groups[at];
    const Table& table = tables[group];
    const Spikes& tile = tiles[group / kTileGroups];
    const int shift = group % kTileGroups * kGroupRows;
    for (int64_t vector = 0; vector < kVectors; ++vector) {
      // A permutation takes the lowest four bits of each lane.
      const auto places = (__m512i)(tile.rows[vector] >> shift);
      for (int64_t column = 0; column < kColumns; ++column) {
        sums[column][vector] += (Words)_mm512_permutexvar_epi32(
            places, (__m512i)table.sums[column]);
      }
    }
  }
}

// Operands, each with the leading axes of `vmap`:
//   weights [..., I, J], words [..., I], ticks [..., W]; sums are [..., W, J].
ffi::Error SumRows(ffi::ThreadPool pool, S32 weights, U32 words, U32 ticks,
                   ffi::ResultBuffer<ffi::S32> sums) {
  const auto shape = sums->dimensions();
  const int64_t num_axes = shape.size() - 2;
  const int64_t size = shape[num_axes], columns = shape[num_axes + 1];
  const int64_t rows = words.dimensions()[num_axes];
  const int64_t num_samples = NumRows(shape, num_axes);
  const int64_t num_tiles = CeilDivide(rows, kTileRows);
  const int64_t num_groups = num_tiles * kTileGroups;
  const auto find = [&](const auto& operand, int64_t sample) {
    return RowOf(operand, shape, num_axes, sample);
  };

  Spikes* tiles = Scratch<Spikes>(num_samples * num_tiles);
  int32_t* groups = Scratch<int32_t>(num_samples * num_groups);
  int64_t* num_active = Scratch<int64_t>(num_samples);
  ParallelFor(pool, CeilDivide(num_samples, kListedAtOnce), [&](int64_t task) {
    const int64_t begin = task * kListedAtOnce;
    const int64_t end = std::min(begin + kListedAtOnce, num_samples);
    for (int64_t sample = begin; sample < end; ++sample) {
      num_active[sample] =
          ListSpikes(find(words, sample), rows, tiles + sample * num_tiles,
                     groups + sample * num_groups);
    }
  });
  const int64_t num_parts = CeilDivide(num_samples, kSamplesAtOnce);
  ParallelFor(pool, num_parts * CeilDivide(columns, kLanes), [&](int64_t task) {
    const int64_t begin = task % num_parts * kSamplesAtOnce;
    const int64_t end = std::min(begin + kSamplesAtOnce, num_samples);
    const int64_t first = task / num_parts * kLanes;
    const int64_t last = std::min(first + kLanes, columns);
    Table* tables = Scratch<Table>(num_groups);
    for (int64_t column = first; column < last; column += kColumns) {
      const int64_t count = std::min(last - column, kColumns);
      const int32_t* tabulated = nullptr;
      for (int64_t sample = begin; sample < end; ++sample) {
        const int32_t* own = find(weights, sample) + column;
        if (own != tabulated) {
          for (int64_t group = 0; group < num_groups; ++group) {
            const int64_t row = group * kGroupRows;
            Tabulate(own + row * columns, rows - row, columns, count,
                     tables[group]);
          }
        }
        tabulated = own;
        Words totals[kColumns][kVectors] = {};
        AddGroups(tables, tiles + sample * num_tiles,
                  groups + sample * num_groups, num_active[sample], totals);
        int32_t of_column[kColumns][kTicks];
        std::memcpy(of_column, totals, sizeof(totals));
        const uint32_t* masks = find(ticks, sample);
        int32_t* to = sums->typed_data() + sample * size * columns + column;
        for (int64_t place = 0; place < size; ++place, to += columns) {
          const uint32_t mask = masks[place];
          const int tick = mask ? __builtin_ctz(mask) : 0;
          for (int64_t next = 0; next < count; ++next) {
            to[next] = mask ? of_column[next][tick] : 0;
          }
        }
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_sum_rows, SumRows,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<S32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Ret<S32>());

}  // namespace ssnn

#endif  // __AVX512F__
