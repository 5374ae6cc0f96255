#include "burin/tensor/storage.h"

#include "burin/tensor/context.h"

namespace burin {
namespace {

uint64_t next_id() {
  static std::atomic<uint64_t> id{0};
  return ++id;
}

}  // namespace

Storage::Storage(size_t bytes, Device device)
    : allocator_(allocator_of(device)), device_(device), bytes_(bytes), id_(next_id()) {
  data_ = allocator_->allocate(bytes, current_stream(device));
}

Storage::~Storage() {
  allocator_->free(data_);
}

}  // namespace burin
