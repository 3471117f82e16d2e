// Bits of many neurons at a time: their spikes at a tick, and counts as bit
// planes.

#ifndef SSNN_JAX_CPU_BIT_COUNTS_H_
#define SSNN_JAX_CPU_BIT_COUNTS_H_

#include "common.h"

namespace ssnn {

constexpr int64_t kNeurons = kLanes * kTicks;  // bits of a line

// A bit of each neuron; bit b of lane i is that of neuron kLanes * b + i.
using Line = Words;

// Adds three bits to a sum and a carry.
INLINE void AddThree(Line a, Line b, Line& sum, Line& carry) {
  carry = Majority(a, b, sum);
  sum ^= a ^ b;
}

// Counts of a line of neurons, as bit planes.
struct BitCounts {
  static constexpr int64_t kAtOnce = 8;  // lines that are added
  static constexpr int kPlanes = 8;
  static constexpr int64_t kMaxBatches = (1 << kPlanes) / kAtOnce - 1;
  Line planes[kPlanes] = {};
  int64_t batches = 0;

  INLINE void Add(const Line (&bits)[kAtOnce]) {
    Line twos[2], fours[2], carry;
    for (int half = 0; half < 2; ++half) {
      const Line* four = bits + 4 * half;
      AddThree(four[0], four[1], planes[0], twos[0]);
      AddThree(four[2], four[3], planes[0], twos[1]);
      AddThree(twos[0], twos[1], planes[1], fours[half]);
    }
    AddThree(fours[0], fours[1], planes[2], carry);
    for (int plane = 3; plane < kPlanes; ++plane) {
      const Line next = planes[plane] & carry;
      planes[plane] ^= carry;
      carry = next;
    }
    ++batches;
  }

  // Adds the counts plus a constant to those of `count` neurons, and clears them.
  INLINE void MoveTo(int16_t constant, int64_t count, int16_t* to) {
    if (!batches) return;
    Line turned[kPlanes];
    std::memcpy(turned, planes, sizeof(turned));
    Transpose<kPlanes>(turned);
    for (int64_t first = 0; first < count; first += kLanes) {
      const int64_t bit = first / kLanes;
      const Line counts = turned[bit % kPlanes] >> bit / kPlanes * kPlanes & 255;
      Shorts sums;
      std::memcpy(&sums, to + first, sizeof(sums));
      sums += __builtin_convertvector(counts, Shorts) + constant;
      std::memcpy(to + first, &sums, sizeof(sums));
    }
    *this = {};
  }
};

}  // namespace ssnn

#endif  // SSNN_JAX_CPU_BIT_COUNTS_H_
