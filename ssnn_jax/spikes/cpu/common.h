// Shared by the kernels: vectors, threads and memory.
//
// Kernels are XLA custom calls, compiled for the processor they run on
// (`kernel_library.py`). They are portable except for a few AVX-512 instructions
// that compilers do not generate.

#ifndef SSNN_JAX_CPU_COMMON_H_
#define SSNN_JAX_CPU_COMMON_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

#ifdef __AVX512BW__
#include <immintrin.h>
#endif

namespace ssnn {

namespace ffi = xla::ffi;

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

using F32 = ffi::Buffer<ffi::F32>;
using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;

constexpr int kTicks = 32;  // of a word
constexpr int kLanes = 16;  // neurons side by side in a vector

using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Signed = int32_t __attribute__((vector_size(4 * kLanes)));
using Shorts = int16_t __attribute__((vector_size(2 * kLanes)));
using Floats = float __attribute__((vector_size(4 * kLanes)));

constexpr Words kLane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

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
INLINE void Store(void* to, Words vector, int64_t count) {
  if (count >= kLanes) {
    std::memcpy(to, &vector, sizeof(vector));
  } else {
    std::memcpy(to, &vector, 4 * count);
  }
}

// Returns the lanes that are not 0, as the bits of a mask.
INLINE uint32_t NonZero(Words words) {
#ifdef __AVX512BW__
  return _mm512_test_epi32_mask((__m512i)words, (__m512i)words);
#else
  uint32_t mask = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    mask |= (words[lane] != 0) << lane;
  }
  return mask;
#endif
}

// Returns each bit that is set in at least two of three words.
INLINE Words Majority(Words a, Words b, Words c) {
#ifdef __AVX512BW__
  return (Words)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c,
                                          0xE8);
#else
  return (a & b) | ((a | b) & c);
#endif
}

// Transposes squares of kSize x kSize bits in each lane: bit r of word c becomes bit
// c of word r (H. S. Warren, "Hacker's Delight", chapter 7).
template <int kSize, int kHalf = kSize / 2>
INLINE void Transpose(Words* words) {
  constexpr uint32_t kLow = ~0u / ((1u << kHalf) + 1);
#pragma GCC unroll 16
  for (int pair = 0; pair < kSize / 2; ++pair) {
    Words& first = words[pair + pair / kHalf * kHalf];
    Words& second = *(&first + kHalf);
    const Words swapped = (first >> kHalf ^ second) & kLow;
    first ^= swapped << kHalf;
    second ^= swapped;
  }
  if constexpr (kHalf > 1) Transpose<kSize, kHalf / 2>(words);
}

inline int64_t CeilDivide(int64_t size, int64_t by) {
  return (size + by - 1) / by;
}

// Runs run(0) to run(size - 1) on XLA's threads and on this one. It waits only
// for tasks that have started, so that a busy pool cannot deadlock it.
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

// Number of rows of a result with leading axes, those of `vmap`.
inline int64_t NumRows(ffi::Span<const int64_t> shape, int64_t num_axes) {
  int64_t size = 1;
  for (int64_t axis = 0; axis < num_axes; ++axis) size *= shape[axis];
  return size;
}

// The row of an operand that belongs to a row of the result. The leading axes of
// the operand are those of the result, or of size 1, and broadcast.
template <typename Operand>
INLINE auto* RowOf(const Operand& operand, ffi::Span<const int64_t> shape,
                   int64_t num_axes, uint32_t row) {
  const auto axes = operand.dimensions();
  int64_t at = 0, stride = 1;
  for (int64_t axis = axes.size() - 1; axis >= num_axes; --axis) {
    stride *= axes[axis];
  }
  for (int64_t axis = num_axes - 1; axis >= 0; --axis) {
    const auto size = static_cast<uint32_t>(shape[axis]);
    if (axes[axis] > 1) {
      at += row % size * stride;
      stride *= size;
    }
    row /= size;
  }
  return operand.typed_data() + at;
}

// Memory of a thread, reused between calls, since new pages are slow.
template <typename T>
T* Scratch(int64_t size) {
  static thread_local std::vector<T> scratch;
  if (scratch.size() < static_cast<size_t>(size)) scratch.resize(size);
  return scratch.data();
}

}  // namespace ssnn

#endif  // SSNN_JAX_CPU_COMMON_H_
