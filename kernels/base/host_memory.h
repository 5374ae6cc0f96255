#pragma once

#include <cstddef>

namespace burin {

/// At least `bytes` bytes aligned to 64, for std::free. Big blocks ask for huge pages: first touch
/// then costs a page fault per 2 MiB, not per 4 KiB, and a pass over them fewer TLB misses. Throws
/// OutOfMemory.
void* allocate_host_memory(size_t bytes);

}  // namespace burin
