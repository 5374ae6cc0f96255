#include "burin/kernels/base/host_memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "burin/kernels/base/error.h"

namespace burin {

void* allocate_host_memory(size_t bytes) {
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t rounded = (bytes + 63) / 64 * 64;
  const size_t in_huge_pages = rounded / huge_page * huge_page;  // the tail is not worth one
  void* data = nullptr;
  const bool there =
      rounded >= bytes && posix_memalign(&data, in_huge_pages > 0 ? huge_page : 64, rounded) == 0;
  if (!there) throw OutOfMemory(str("cpu: no memory for ", bytes, " bytes"));
  if (in_huge_pages > 0) madvise(data, in_huge_pages, MADV_HUGEPAGE);
  return data;
}

}  // namespace burin
