#pragma once

#include <cstdint>

namespace burin::emulator {

/// In which order threads and blocks run, where a GPU leaves it open.
enum class Order : uint8_t {
  forward,   // thread 0 first
  reverse,   // the last thread and the last block first
  shuffled,  // the same shuffle in every process
};

/// BURIN_EMULATOR_ORDER. Throws Error for another word.
Order order_from_environment();
/// BURIN_EMULATOR_STREAMS=late: what is queued runs only when something waits for it.
bool late_streams_from_environment();

inline constexpr int max_devices = 16;  // of the largest machines
/// BURIN_EMULATOR_DEVICES, 1 if unset. Throws Error for what is no number from 1 to max_devices.
int devices_from_environment();

}  // namespace burin::emulator
