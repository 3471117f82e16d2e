// Sums the weights of the rows or columns that spike, tick by tick. The pure-JAX
// references are in `crossbar`; the sums are equal, since float32 holds them exactly.
//
// Four rows have 16 combinations of spikes. Their sums in some columns are tabulated
// once for many samples, so that a tick adds one sum for four rows. Groups of rows
// without a spike in a word are skipped, since many pixels are black.

#include "common.h"

namespace ssnn {
namespace {

constexpr int64_t kGroupRows = 4;
constexpr int64_t kGroupSums = 1 << kGroupRows;
constexpr int64_t kTileGroups = 16;  // whose sums stay in the first cache
constexpr int64_t kTileRows = kTileGroups * kGroupRows;
constexpr int64_t kVectors = 2;      // of columns, at once
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kTicksAtOnce = 8;  // as many sums as fit the registers
constexpr int64_t kListedAtOnce = 8, kSamplesAtOnce = 64;  // samples of a task

// Sums in some columns.
struct Sums {
  Floats vectors[kVectors];
};

// The sums of the rows of a tile, by group and combination of spikes.
struct Table {
  Sums groups[kTileGroups][kGroupSums];
};

// The sums of a sample at the ticks of a word.
struct Currents {
  Sums ticks[kTicks];
};

// Spikes of a group of rows, a combination for each tick.
struct Group {
  int32_t index;  // within the tile
  uint8_t spikes[kTicks];
};

// Lists the groups of a tile in which there are spikes; returns their number.
int64_t ListGroups(const uint32_t* words, int64_t rows,
                   const uint32_t (&ticks)[kTicks], Group* groups) {
  int64_t size = 0;
  for (int64_t first = 0; first < std::min(rows, kTileRows);
       first += kGroupRows) {
    uint32_t own[kGroupRows] = {};
    std::copy_n(words + first, std::min(rows - first, kGroupRows), own);
    if (!(own[0] | own[1] | own[2] | own[3])) continue;
    Group& group = groups[size++];
    group.index = first / kGroupRows;
    for (int tick = 0; tick < kTicks; ++tick) {
      uint32_t spikes = 0;
      for (int64_t row = 0; row < kGroupRows; ++row) {
        spikes |= uint32_t{(own[row] & ticks[tick]) != 0} << row;
      }
      group.spikes[tick] = spikes;
    }
  }
  return size;
}

// Tabulates a tile of [rows, columns] weights in the first `count` columns.
void Tabulate(const float* weights, int64_t rows, int64_t columns,
              int64_t count, Table& table) {
  for (int64_t row = 0; row < std::min(rows, kTileRows); ++row) {
    Sums* sums = table.groups[row / kGroupRows];
    const int64_t size = 1 << row % kGroupRows;  // without this row
    if (size == 1) sums[0] = {};
    for (int64_t vector = 0; vector < kVectors; ++vector) {
      const int64_t first = vector * kLanes;
      const auto own = Load<Floats>(weights + row * columns + first,
                                    std::max<int64_t>(count - first, 0));
      for (int64_t spikes = 0; spikes < size; ++spikes) {
        sums[size + spikes].vectors[vector] = sums[spikes].vectors[vector] + own;
      }
    }
  }
}

// Adds the sums of a tile at some ticks.
void AddGroups(const Table& table, const Group* groups, int64_t size,
               int64_t tick, Sums* to) {
  Sums sums[kTicksAtOnce];
  std::memcpy(sums, to, sizeof(sums));
  for (int64_t at = 0; at < size; ++at) {
    const Sums* tabulated = table.groups[groups[at].index];
    const uint8_t* spikes = groups[at].spikes + tick;
#pragma GCC unroll 8
    for (int64_t next = 0; next < kTicksAtOnce; ++next) {
      for (int64_t vector = 0; vector < kVectors; ++vector) {
        sums[next].vectors[vector] += tabulated[spikes[next]].vectors[vector];
      }
    }
  }
  std::memcpy(to, sums, sizeof(sums));
}

// Operands, each with the leading axes of `vmap`:
//   weights [..., I, J], words [..., I], ticks [..., W]; sums are [..., W, J].
ffi::Error SumRows(ffi::ThreadPool pool, F32 weights, U32 words, U32 ticks,
                   ffi::ResultBuffer<ffi::F32> sums) {
  const auto shape = sums->dimensions();
  const int64_t num_axes = shape.size() - 2;
  const int64_t num_ticks = shape[num_axes], columns = shape[num_axes + 1];
  const int64_t rows = words.dimensions()[num_axes];
  const int64_t num_samples = NumRows(shape, num_axes);
  const int64_t num_groups = CeilDivide(rows, kGroupRows);
  const int64_t num_tiles = CeilDivide(rows, kTileRows);

  Group* groups = Scratch<Group>(num_samples * num_groups);
  int64_t* sizes = Scratch<int64_t>(num_samples * num_tiles);
  const auto list = [&](int64_t sample, int64_t tile) {
    return groups + sample * num_groups + tile * kTileGroups;
  };
  ParallelFor(pool, CeilDivide(num_samples, kListedAtOnce), [&](int64_t task) {
    const int64_t begin = task * kListedAtOnce;
    const int64_t end = std::min(begin + kListedAtOnce, num_samples);
    for (int64_t sample = begin; sample < end; ++sample) {
      const uint32_t* own = RowOf(words, shape, num_axes, sample);
      uint32_t own_ticks[kTicks] = {};
      std::copy_n(RowOf(ticks, shape, num_axes, sample), num_ticks, own_ticks);
      for (int64_t tile = 0; tile < num_tiles; ++tile) {
        const int64_t row = tile * kTileRows;
        sizes[sample * num_tiles + tile] =
            ListGroups(own + row, rows - row, own_ticks, list(sample, tile));
      }
    }
  });
  const int64_t num_parts = CeilDivide(num_samples, kSamplesAtOnce);
  const int64_t num_tasks = num_parts * CeilDivide(columns, kColumns);
  ParallelFor(pool, num_tasks, [&](int64_t task) {
    const int64_t begin = task % num_parts * kSamplesAtOnce;
    const int64_t size = std::min(num_samples - begin, kSamplesAtOnce);
    const int64_t first = task / num_parts * kColumns;
    const int64_t count = std::min(columns - first, kColumns);
    Table& table = *Scratch<Table>(1);
    Currents* currents = Scratch<Currents>(kSamplesAtOnce);
    for (int64_t tile = 0; tile < num_tiles; ++tile) {
      const float* tabulated = nullptr;
      for (int64_t at = 0; at < size; ++at) {
        const int64_t sample = begin + at;
        const float* own = RowOf(weights, shape, num_axes, sample);
        if (own != tabulated) {
          const int64_t row = tile * kTileRows;
          Tabulate(own + row * columns + first, rows - row, columns, count,
                   table);
        }
        tabulated = own;
        for (int64_t tick = 0; tick < num_ticks; tick += kTicksAtOnce) {
          Sums* to = currents[at].ticks + tick;
          if (tile == 0) std::fill_n(to, kTicksAtOnce, Sums{});
          AddGroups(table, list(sample, tile),
                    sizes[sample * num_tiles + tile], tick, to);
        }
      }
    }
    float* to = sums->typed_data() + begin * num_ticks * columns + first;
    for (int64_t at = 0; at < size; ++at) {
      for (int64_t tick = 0; tick < num_ticks; ++tick, to += columns) {
        std::memcpy(to, &currents[at].ticks[tick], count * sizeof(*to));
      }
    }
  });
  return ffi::Error::Success();
}

// Rows of a column whose inputs follow one another.
struct Run {
  int32_t row, input, size;
};

// Lists the runs of a position; rows without an input are in none.
std::vector<Run> ListRuns(const int32_t* inputs, int64_t rows) {
  std::vector<Run> runs;
  for (int32_t row = 0; row < rows; ++row) {
    if (inputs[row] < 0) continue;
    if (!runs.empty() && inputs[row] == runs.back().input + runs.back().size &&
        row == runs.back().row + runs.back().size) {
      ++runs.back().size;
    } else {
      runs.push_back({row, inputs[row], 1});
    }
  }
  return runs;
}

// Adds a column of weights to the inputs of its position for each of its error
// spikes, which are few. Operands, all but the wiring with the axes of `vmap`:
//   columns [..., F, M], inputs [1, ..., P, M], errors [..., W, P F]; sums are
//   [..., W, I].
ffi::Error SumColumns(ffi::ThreadPool pool, F32 columns, S32 inputs, F32 errors,
                      ffi::ResultBuffer<ffi::F32> sums) {
  const auto shape = sums->dimensions();
  const int64_t num_axes = shape.size() - 2;
  const int64_t num_ticks = shape[num_axes], size = shape[num_axes + 1];
  const int64_t features = columns.dimensions()[num_axes];
  const int64_t rows = columns.dimensions()[num_axes + 1];
  std::vector<std::vector<Run>> positions(inputs.dimensions()[num_axes]);
  for (size_t at = 0; at < positions.size(); ++at) {
    positions[at] = ListRuns(inputs.typed_data() + at * rows, rows);
  }
  ParallelFor(pool, NumRows(shape, num_axes), [&](int64_t sample) {
    const float* weights = RowOf(columns, shape, num_axes, sample);
    const float* error = RowOf(errors, shape, num_axes, sample);
    float* to = sums->typed_data() + sample * num_ticks * size;
    std::fill_n(to, num_ticks * size, 0.0f);
    for (int64_t tick = 0; tick < num_ticks; ++tick, to += size) {
      for (const auto& runs : positions) {
        for (int64_t feature = 0; feature < features; ++feature, ++error) {
          if (*error == 0.0f) continue;
          for (const Run& run : runs) {
            const float* weight = weights + feature * rows + run.row;
            for (int32_t next = 0; next < run.size; ++next) {
              to[run.input + next] += *error * weight[next];
            }
          }
        }
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_sum_columns, SumColumns,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<F32>()
                                  .Arg<S32>()
                                  .Arg<F32>()
                                  .Ret<F32>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_sum_rows, SumRows,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<F32>()
                                  .Arg<U32>()
                                  .Arg<U32>()
                                  .Ret<F32>());

}  // namespace ssnn
