// Bits of many neurons at a time: masks of their spikes at a tick, and counts as
// bit planes.

#ifndef SSNN_JAX_CPU_BIT_COUNTS_H_
#define SSNN_JAX_CPU_BIT_COUNTS_H_

#include "common.h"

namespace ssnn {

constexpr int64_t kNeurons = 64;    // bits of a mask, or bytes of a vector
constexpr int64_t kMaxVectors = 8;  // masks of a line

using Bytes = uint8_t __attribute__((vector_size(kNeurons)));
using Line = uint64_t __attribute__((vector_size(8 * kMaxVectors)));
using Quarter = uint8_t __attribute__((vector_size(kLanes)));

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

// Transposes the words of neurons to masks, one for 64 neurons and a tick; those
// of the next tick are in the next line.
void TurnWords(const uint32_t* words, int64_t count, Line* lines) {
  // Two passes, as bytes cannot be read soon after they are written.
  alignas(kNeurons) uint8_t bytes[4][kMaxVectors * kNeurons] = {};
  const int64_t size = std::min(count, kMaxVectors * kNeurons);
  for (int64_t first = 0; first < size; first += kLanes) {
    const Words spikes = Load<Words>(words + first, size - first);
    for (int place = 0; place < 4; ++place) {
      const Quarter some = __builtin_convertvector(spikes >> 8 * place, Quarter);
      std::memcpy(bytes[place] + first, &some, sizeof(some));
    }
  }
  auto* masks = reinterpret_cast<uint64_t*>(lines);
  for (int64_t vector = 0; vector * kNeurons < size; ++vector) {
    for (int place = 0; place < 4; ++place) {
      Bytes some;
      std::memcpy(&some, bytes[place] + vector * kNeurons, sizeof(some));
      for (int tick = 8 * place + 7; tick >= 8 * place; --tick) {
        masks[tick * kMaxVectors + vector] = HighBits(some);
        some += some;
      }
    }
  }
}

// Adds three bits to a sum and a carry.
INLINE void AddThree(Line a, Line b, Line& sum, Line& carry) {
#ifdef __AVX512BW__
  const auto x = (__m512i)a, y = (__m512i)b, z = (__m512i)sum;
  carry = (Line)_mm512_ternarylogic_epi64(x, y, z, 0xE8);
  sum = (Line)_mm512_ternarylogic_epi64(x, y, z, 0x96);
#else
  const Line differ = a ^ b;
  carry = (a & b) | (differ & sum);
  sum ^= differ;
#endif
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

  // Adds the counts plus a constant, and clears them.
  INLINE void MoveTo(int16_t constant, int64_t vectors, int16_t* to) {
    if (!batches) return;
    uint64_t masks[kPlanes][kMaxVectors];
    std::memcpy(masks, planes, sizeof(masks));
    const int used = 64 - __builtin_clzll(batches * kAtOnce);
    for (int64_t vector = 0; vector < vectors; ++vector) {
      Bytes bytes = {};
      for (int plane = 0; plane < used; ++plane) {
        bytes = AddWhere(masks[plane][vector], bytes,
                         Bytes{} + uint8_t(1 << plane));
      }
      uint8_t counts[kNeurons];
      std::memcpy(counts, &bytes, sizeof(counts));
      for (int64_t neuron = 0; neuron < kNeurons; ++neuron) {
        to[vector * kNeurons + neuron] += counts[neuron] + constant;
      }
    }
    *this = {};
  }
};

}  // namespace ssnn

#endif  // SSNN_JAX_CPU_BIT_COUNTS_H_
