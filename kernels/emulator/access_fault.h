#pragma once

#include "burin/kernels/emulator/device_memory.h"

namespace burin::emulator {

/// A kernel of emulated device `device` may touch that device's memory on this thread while it
/// lives. One that touches another device's memory is stopped and its launch throws KernelError, as
/// a GPU without peer access reports an illegal access. Not under ASan, where memory is malloc's.
class KernelScope {
 public:
  explicit KernelScope(int device);
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  OpenMemory open_;
};

}  // namespace burin::emulator
