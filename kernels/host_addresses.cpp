#include "burin/kernels/host_addresses.h"

#include <sys/mman.h>
#include <unistd.h>

namespace burin {
namespace {

constexpr size_t huge_page = size_t{2} << 20;  // memory comes and goes in this unit

constexpr size_t whole_pages(size_t bytes) {
  return (bytes + huge_page - 1) / huge_page * huge_page;
}

size_t physical_bytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

class HostAddresses final : public GrowingMemory {
 public:
  HostAddresses(std::byte* reserved, size_t reserved_bytes)
      : reserved_(reserved), reserved_bytes_(reserved_bytes) {
    const size_t past_boundary = reinterpret_cast<uintptr_t>(reserved) % huge_page;
    begin_ = past_boundary == 0 ? reserved : reserved + (huge_page - past_boundary);
  }
  ~HostAddresses() override { munmap(reserved_, reserved_bytes_); }
  HostAddresses(const HostAddresses&) = delete;
  HostAddresses& operator=(const HostAddresses&) = delete;

  std::byte* data() const override { return begin_; }

  bool resize(size_t bytes) noexcept override {
    const size_t wanted = whole_pages(bytes);
    const auto room = static_cast<size_t>(reserved_ + reserved_bytes_ - begin_);
    if (wanted < bytes || wanted > room) return false;
    if (wanted > usable_) {
      if (mprotect(begin_ + usable_, wanted - usable_, PROT_READ | PROT_WRITE) != 0) return false;
      madvise(begin_ + usable_, wanted - usable_, MADV_HUGEPAGE);
    } else if (wanted < usable_) {
      // Mapped anew, not only protected: that is what gives the memory back.
      void* const mapped = mmap(begin_ + wanted, usable_ - wanted, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
      if (mapped == MAP_FAILED) return false;
    }
    usable_ = wanted;
    return true;
  }

 private:
  std::byte* reserved_;
  size_t reserved_bytes_;
  std::byte* begin_;  // on a huge page's boundary
  size_t usable_ = 0;
};

}  // namespace

std::unique_ptr<GrowingMemory> reserve_host_addresses() {
  const size_t bytes = whole_pages(physical_bytes()) + huge_page;
  void* const reserved =
      mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  return std::make_unique<HostAddresses>(static_cast<std::byte*>(reserved), bytes);
}

}  // namespace burin
