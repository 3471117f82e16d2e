// Neurons that integrate and fire, tick by tick. The pure-JAX reference is in
// `integrate_and_fire._find`; spikes and states are equal.

#include "common.h"

namespace ssnn {
namespace {

// Adds the spikes of one sign in a tick to their trains; returns what is left.
template <int kMost>
INLINE Floats Fire(Floats residue, float worth, int64_t tick, Words* trains) {
  Floats left = residue;
  for (int slot = 0; slot < kMost; ++slot) {
    const auto fires = (Words)(residue > (slot + 0.5f) * worth);
    trains[slot] |= (fires & 1) << tick;
    left -= (Floats)(fires & (Words)(Floats{} + worth));
  }
  return left;
}

// Operands, each with the leading axes of `vmap`:
//   residue, drive [..., J], currents [..., W, J], open [..., J], elapsed and
//   worth [...]; the spikes are [..., kMore, J] and [..., kLess, J].
template <int kMore, int kLess>
ffi::Error FireWord(ffi::ThreadPool pool, F32 residue, F32 drive, F32 currents,
                    U32 open, S32 elapsed, F32 worth,
                    ffi::ResultBuffer<ffi::F32> new_residue,
                    ffi::ResultBuffer<ffi::F32> new_drive,
                    ffi::ResultBuffer<ffi::U32> more,
                    ffi::ResultBuffer<ffi::U32> less,
                    ffi::ResultBuffer<ffi::U32> gates) {
  const auto shape = gates->dimensions();
  const int64_t num_axes = shape.size() - 1, size = shape[num_axes];
  const int64_t num_ticks = currents.dimensions()[num_axes];
  ParallelFor(pool, NumRows(shape, num_axes), [&](int64_t sample) {
    const auto find = [&](const auto& operand) {
      return RowOf(operand, shape, num_axes, sample);
    };
    const float* from = find(currents);
    const float spike = *find(worth);
    for (int64_t first = 0; first < size; first += kLanes) {
      const int64_t count = size - first;
      auto left = Load<Floats>(find(residue) + first, count);
      auto total = Load<Floats>(find(drive) + first, count);
      const auto integrates = Load<Words>(find(open) + first, count);
      Words up[kMore] = {}, down[kLess + 1] = {}, gate = {};
      float ticks = *find(elapsed);
      for (int64_t tick = 0; tick < num_ticks; ++tick) {
        left = Fire<kMore>(left, spike, tick, up);
        left = -Fire<kLess>(-left, spike, tick, down);
        const auto is_open = (Words)((integrates >> tick & 1) != 0);
        const auto current =
            (Floats)(Load<Words>(from + tick * size + first, count) & is_open);
        left += current;
        total += current;
        ticks += 1.0f;
        gate |= ((Words)((total > 0.0f) & (total < ticks)) & 1) << tick;
      }
      const auto store = [&](auto& result, int64_t row, auto vector) {
        Store(result->typed_data() + row * size + first, (Words)vector, count);
      };
      store(new_residue, sample, left);
      store(new_drive, sample, total);
      store(gates, sample, gate);
      for (int k = 0; k < kMore; ++k) store(more, sample * kMore + k, up[k]);
      for (int k = 0; k < kLess; ++k) store(less, sample * kLess + k, down[k]);
    }
  });
  return ffi::Error::Success();
}

auto BindFire() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<F32>()
      .Arg<F32>()
      .Arg<F32>()
      .Arg<U32>()
      .Arg<S32>()
      .Arg<F32>()
      .Ret<F32>()
      .Ret<F32>()
      .Ret<U32>()
      .Ret<U32>()
      .Ret<U32>();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_fire_forward, (FireWord<1, 0>), BindFire());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ssnn_fire_back, (FireWord<3, 3>), BindFire());

}  // namespace ssnn
