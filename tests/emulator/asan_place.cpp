// ASan calls this before it reports: which CUDA thread it was.
#include <iostream>

#include "burin/kernels/emulator/dialect/threads.h"
#include "burin/kernels/emulator/place.h"

extern "C" void __asan_on_error();
extern "C" void __asan_on_error() {
  std::cerr << "in block " << burin::emulator::place(blockIdx) << " thread "
            << burin::emulator::place(threadIdx) << '\n';
}
