#pragma once

#include "burin/kernels/emulator/dialect/threads.h"

// What the lanes of a warp do together: shuffles, votes, and the matrix instructions of ptx.h. All
// rest on one primitive.

namespace burin::emulator {

/// Every lane of `mask` brings a slot, which lies on its own stack; the last to arrive runs
/// `exchange` over all of them, then all go on. slots[lane] is null for lanes outside the mask.
void warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                   void (*exchange)(void** slots, unsigned mask));

template <class Slot, class F>
void exchange(unsigned mask, const char* what, const Where& where, Slot& slot, F /*stateless*/) {
  warp_exchange(mask, what, where, &slot,
                [](void** slots, unsigned lanes) { F{}(reinterpret_cast<Slot**>(slots), lanes); });
}

/// The lane's number in its warp.
int lane();

template <class T>
struct Shuffle {
  T value;
  int from;
  T result;
};

/// Each lane reads the value of the lane it names; of itself where that one is not in the mask.
template <class T>
T shuffle(unsigned mask, const char* what, const Where& where, T value, int from) {
  Shuffle<T> slot{value, from, value};
  exchange(mask, what, where, slot, [](Shuffle<T>** slots, unsigned lanes) {
    for (int l = 0; l < 32; ++l) {
      if ((lanes >> l & 1) == 0) continue;
      const int source = slots[l]->from;
      if ((lanes >> source & 1) != 0) slots[l]->result = slots[source]->value;
    }
  });
  return slot.result;
}

unsigned ballot(unsigned mask, const char* what, const Where& where, bool predicate);

}  // namespace burin::emulator

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32,
              const burin::Where& where = burin::Where::current()) {
  const int lane = burin::emulator::lane();
  return burin::emulator::shuffle(mask, "__shfl_sync()", where, value,
                                  lane / width * width + from % width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  const burin::Where& where = burin::Where::current()) {
  const int lane = burin::emulator::lane(), from = lane ^ lane_mask;
  return burin::emulator::shuffle(mask, "__shfl_xor_sync()", where, value,
                                  from / width > lane / width ? lane : from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const burin::Where& where = burin::Where::current()) {
  const int lane = burin::emulator::lane(), from = lane + static_cast<int>(delta);
  return burin::emulator::shuffle(mask, "__shfl_down_sync()", where, value,
                                  from / width == lane / width ? from : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const burin::Where& where = burin::Where::current()) {
  const int lane = burin::emulator::lane(), from = lane - static_cast<int>(delta);
  return burin::emulator::shuffle(mask, "__shfl_up_sync()", where, value,
                                  from >= lane / width * width ? from : lane);
}

inline void __syncwarp(unsigned mask = ~0u, const burin::Where& where = burin::Where::current()) {
  burin::emulator::ballot(mask, "__syncwarp()", where, false);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const burin::Where& where = burin::Where::current()) {
  return burin::emulator::ballot(mask, "__ballot_sync()", where, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate,
                      const burin::Where& where = burin::Where::current()) {
  return burin::emulator::ballot(mask, "__any_sync()", where, predicate != 0) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      const burin::Where& where = burin::Where::current()) {
  return burin::emulator::ballot(mask, "__all_sync()", where, predicate == 0) == 0 ? 1 : 0;
}
