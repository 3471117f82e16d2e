// Adds counts that are stored column by column to a matrix of rows.

#ifndef SSNN_JAX_CPU_ADD_COLUMNS_H_
#define SSNN_JAX_CPU_ADD_COLUMNS_H_

#include "common.h"

namespace ssnn {

using HalfShorts = int16_t __attribute__((vector_size(kLanes)));

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
inline void AddColumns(const int16_t* sums, int64_t stride, int32_t* counts,
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
      const auto wide = (Words)__builtin_convertvector(more, Signed);
      Store(to, Load<Words>(to, columns) + wide, columns);
    }
  }
}

}  // namespace ssnn

#endif  // SSNN_JAX_CPU_ADD_COLUMNS_H_
