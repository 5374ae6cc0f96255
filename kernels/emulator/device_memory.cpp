#include "burin/kernels/emulator/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "burin/kernels/base/device.h"
#include "burin/kernels/base/error.h"

namespace burin::emulator {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool from_malloc = true;
#else
constexpr bool from_malloc = false;
#endif

constexpr size_t page = 4096;
constexpr size_t address_space = size_t{64} << 30;  // reserved, not used
constexpr int fresh_byte = 0xff;                    // NaN: what cudaMalloc gives is garbage

size_t capacity() {
  const char* const megabytes = std::getenv("BURIN_EMULATOR_MEMORY_MB");
  if (megabytes == nullptr || *megabytes == '\0') return size_t{8192} << 20;
  const std::string_view text(megabytes);
  size_t wanted = 0;
  const auto [rest, error] = std::from_chars(text.begin(), text.end(), wanted);
  check(error == std::errc() && rest == text.end() && wanted > 0, "BURIN_EMULATOR_MEMORY_MB: '",
        text, "' is no number of MiB above 0");
  return std::min(wanted, address_space >> 20) << 20;
}

}  // namespace

DeviceMemory::~DeviceMemory() {
  if (begin_ != nullptr) munmap(begin_, address_space);
}

/// First fit between the blocks that are in use.
char* DeviceMemory::find_room(size_t bytes) {
  char* candidate = begin_;
  for (const auto& [data, size] : blocks_) {
    if (static_cast<size_t>(data - candidate) >= bytes) break;
    candidate = data + size;
  }
  const bool fits = candidate + bytes <= begin_ + address_space;
  return fits ? candidate : nullptr;
}

void* DeviceMemory::allocate(size_t bytes) {
  const size_t rounded = std::max((bytes + page - 1) / page * page, page);
  const auto refuse = [&] {
    throw OutOfMemory(str(Device::emulator(index_), ": no memory for ", bytes, " bytes: ", in_use_,
                          " of ", capacity(), " are in use"));
  };
  if (rounded < bytes || in_use_ + rounded > capacity()) refuse();
  char* data = nullptr;
  if (from_malloc) {
    void* exact = nullptr;
    if (posix_memalign(&exact, 64, std::max<size_t>(bytes, 1)) != 0) refuse();
    data = static_cast<char*>(exact);
    std::memset(data, fresh_byte, bytes);
  } else {
    if (begin_ == nullptr) {
      void* const reserved = mmap(nullptr, address_space, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (reserved == MAP_FAILED) refuse();
      begin_ = end_ = static_cast<char*>(reserved);
    }
    data = find_room(rounded);
    if (data == nullptr) refuse();
    if (opened_ > 0) mprotect(data, rounded, PROT_READ | PROT_WRITE);
    end_ = std::max(end_, data + rounded);
    open();
    std::memset(data, fresh_byte, bytes);
    close();
  }
  blocks_[data] = rounded;
  in_use_ += rounded;
  return data;
}

size_t DeviceMemory::free_bytes() const {
  return capacity() - std::min(in_use_, capacity());
}

bool DeviceMemory::reserves(const void* address) const {
  return begin_ != nullptr && address >= begin_ && address < begin_ + address_space;
}

void DeviceMemory::free(void* data) noexcept {
  const auto block = blocks_.find(static_cast<char*>(data));
  if (block == blocks_.end()) return;
  in_use_ -= block->second;
  if (from_malloc) {
    std::free(data);
  } else {
    madvise(block->first, block->second, MADV_DONTNEED);
  }
  blocks_.erase(block);
}

void DeviceMemory::protect(int rights) noexcept {
  if (begin_ != end_) mprotect(begin_, static_cast<size_t>(end_ - begin_), rights);
}

void DeviceMemory::open() {
  if (opened_++ == 0) protect(PROT_READ | PROT_WRITE);
}

void DeviceMemory::close() noexcept {
  if (--opened_ == 0) protect(PROT_NONE);
}

}  // namespace burin::emulator
