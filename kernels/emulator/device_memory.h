#pragma once

#include <cstddef>
#include <map>

namespace burin::emulator {

/// The memory of one emulated device. Outside kernels and copies the host can neither read nor
/// write it: a pointer of the device that the host follows ends in a segmentation fault, as on a
/// GPU.
///
/// Under ASan each allocation comes from malloc instead, so that kernels meet red zones.
class DeviceMemory {
 public:
  /// Of Device::emulator(index).
  explicit DeviceMemory(int index) : index_(index) {}
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Throws OutOfMemory beyond BURIN_EMULATOR_MEMORY_MB (default 8192) in all.
  void* allocate(size_t bytes);
  void free(void* data) noexcept;
  size_t free_bytes() const;
  /// Whether the address is one that this memory may hand out. Under ASan: never.
  bool reserves(const void* address) const;

  /// Between these two the memory can be touched. They nest.
  void open();
  void close() noexcept;

 private:
  char* find_room(size_t bytes);
  void protect(int rights) noexcept;

  int index_;
  char* begin_ = nullptr;
  char* end_ = nullptr;  // of what was ever handed out
  std::map<char*, size_t> blocks_;
  size_t in_use_ = 0;
  int opened_ = 0;
};

/// Opens a memory while it lives; none if null.
class OpenMemory {
 public:
  explicit OpenMemory(DeviceMemory* memory) : memory_(memory) {
    if (memory_ != nullptr) memory_->open();
  }
  ~OpenMemory() {
    if (memory_ != nullptr) memory_->close();
  }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;

 private:
  DeviceMemory* memory_;
};

}  // namespace burin::emulator
