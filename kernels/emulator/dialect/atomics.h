#pragma once

#include <type_traits>

// CUDA's atomics. One thread runs at a time, so plain arithmetic would do; real ones tell the race
// check that the access is atomic.

namespace burin::emulator {

template <class T, class F>
T atomic_update(T* address, const F& f) {
  T old;
  __atomic_load(address, &old, __ATOMIC_RELAXED);
  for (T next = f(old);
       !__atomic_compare_exchange(address, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
       next = f(old)) {
  }
  return old;
}

}  // namespace burin::emulator

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return burin::emulator::atomic_update(address,
                                        [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return burin::emulator::atomic_update(address, [=](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return burin::emulator::atomic_update(address, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return burin::emulator::atomic_update(address,
                                        [=](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return burin::emulator::atomic_update(address, [=](T /*old*/) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  __atomic_compare_exchange(address, &expected, &value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
