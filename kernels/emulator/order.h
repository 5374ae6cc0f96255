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

}  // namespace burin::emulator
