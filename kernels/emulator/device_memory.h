#pragma once

#include <cstddef>
#include <map>

namespace burin::emulator {

/// The memory of the emulated device. Outside kernels and copies the host can neither read nor
/// write it: a pointer of the device that the host follows ends in a segmentation fault, as on a
/// GPU.
///
/// Under ASan each allocation comes from malloc instead, so that kernels meet red zones.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Throws OutOfMemory beyond BURIN_EMULATOR_MEMORY_MB (default 8192) in all.
  void* allocate(size_t bytes);
  void free(void* data) noexcept;
  size_t free_bytes() const;

  /// Between these two the memory can be touched. They nest.
  void open();
  void close() noexcept;

 private:
  char* find_room(size_t bytes);
  void protect(int rights) noexcept;

  char* begin_ = nullptr;
  char* end_ = nullptr;  // of what was ever handed out
  std::map<char*, size_t> blocks_;
  size_t in_use_ = 0;
  int opened_ = 0;
};

}  // namespace burin::emulator
