#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "burin/kernels/base/error.h"
#include "burin/kernels/device_runtime.h"
#include "emulator/planted.h"
#include "support/environment.h"

namespace burin {

/// "planted.cu:17", where the bug of that name is marked.
inline std::string place_of(const std::string& bug) {
  std::ifstream file(BURIN_SOURCE_FOLDER "/tests/emulator/planted.cu");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with("// bug: " + bug)) return str("planted.cu:", number);
  }
  fail("planted.cu marks no bug '", bug, "'");
}

/// A stream of an emulated device and 1024 floats of its memory: 0, 1, 2, …
class Board {
 public:
  explicit Board(int index = 0)
      : device(Device::emulator(index)), stream(runtime.make_stream(index)) {
    x = static_cast<float*>(runtime.allocate(index, values.size() * sizeof(float)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    upload();
  }
  ~Board() { runtime.free(device.index, x); }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  void upload() {
    runtime.copy(*stream, x, device, values.data(), Device::cpu(), values.size() * 4);
    runtime.synchronize(*stream);
  }
  void download() {
    runtime.copy(*stream, values.data(), Device::cpu(), x, device, values.size() * 4);
    runtime.synchronize(*stream);
  }
  void run(const std::string& planted) {
    run_planted(planted, x, *stream);
    runtime.synchronize(*stream);
  }
  /// What the emulator says of the planted bug, when the kernel works on `memory`.
  std::string complaint(const std::string& planted, float* memory) {
    try {
      run_planted(planted, memory, *stream);
      runtime.synchronize(*stream);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was noticed";
  }
  std::string complaint(const std::string& planted) { return complaint(planted, x); }

  Device device;
  DeviceRuntime& runtime = runtime_of(device);
  std::unique_ptr<Stream> stream;
  std::vector<float> values = std::vector<float>(1024);
  float* x = nullptr;
};

}  // namespace burin
