#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "burin/kernels/base/error.h"
#include "burin/kernels/device_runtime.h"
#include "emulator/planted.h"

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

/// Sets an environment variable while it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

/// A stream of the emulator and 1024 floats of its memory: 0, 1, 2, …
class Board {
 public:
  Board() : stream(runtime.make_stream(0)) {
    x = static_cast<float*>(runtime.allocate(0, values.size() * sizeof(float)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    upload();
  }
  ~Board() { runtime.free(0, x); }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  void upload() {
    runtime.copy(*stream, x, Device::emulator(), values.data(), Device::cpu(), values.size() * 4);
    runtime.synchronize(*stream);
  }
  void download() {
    runtime.copy(*stream, values.data(), Device::cpu(), x, Device::emulator(), values.size() * 4);
    runtime.synchronize(*stream);
  }
  void run(const std::string& planted) {
    run_planted(planted, x, *stream);
    runtime.synchronize(*stream);
  }
  /// What the emulator says of the planted bug.
  std::string complaint(const std::string& planted) {
    try {
      run(planted);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was noticed";
  }

  DeviceRuntime& runtime = runtime_of(Device::emulator());
  std::unique_ptr<Stream> stream;
  std::vector<float> values = std::vector<float>(1024);
  float* x = nullptr;
};

}  // namespace burin
