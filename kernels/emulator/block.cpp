#include "burin/kernels/emulator/block.h"

#include <algorithm>
#include <cstring>

namespace burin::emulator {

void BlockThread::begin(bool may_overlap) {
  done = false;
  waited_for_launch = !may_overlap;
  waits_at = nullptr;
  copies.clear();
  copies_a_group.clear();
  open_work.clear();
  work.clear();
}

void Block::resize_shared(size_t bytes) {
  if (shared_bytes == bytes && shared != nullptr) return;
  shared_bytes = bytes;
  shared.reset(static_cast<char*>(::operator new[](bytes, std::align_val_t{128})));
}

void Block::begin(uint3 at, int thread_count, bool may_overlap) {
  index = at;
  started = done = at_barrier = at_cluster_barrier = votes = 0;
  ready_warps = 0;
  ready.fill(0);
  waiting.fill(0);
  read_by_others_in = -1;
  for (int i = 0; i < thread_count; ++i) threads[static_cast<size_t>(i)].begin(may_overlap);
  std::memset(shared.get(), 0xff, shared_bytes);
}

void Block::set_ready(int warp, unsigned lanes) {
  ready[static_cast<size_t>(warp)] |= lanes;
  if (lanes != 0) ready_warps |= 1u << warp;
}

void Block::set_all_ready(int thread_count) {
  for (int warp = 0; warp * 32 < thread_count; ++warp) {
    const int lanes = std::min(32, thread_count - warp * 32);
    set_ready(warp, lanes == 32 ? ~0u : (1u << lanes) - 1);
  }
}

void Block::set_running(int thread) {
  unsigned& lanes = ready[static_cast<size_t>(thread / 32)];
  lanes &= ~(1u << thread % 32);
  if (lanes == 0) ready_warps &= ~(1u << thread / 32);
}

}  // namespace burin::emulator
