// What kernels call, handed to the runner; and copies that go on in the background.
#include <algorithm>
#include <cstring>
#include <utility>

#include "burin/kernels/emulator/block_runner.h"
#include "burin/kernels/emulator/dialect/warp.h"

namespace burin::emulator {
namespace {

BlockRunner& here() {
  BlockRunner& runner = block_runner();
  if (!runner.running()) throw KernelError("a device function was called outside a kernel");
  return runner;
}

}  // namespace

void barrier(const char* what, const Where& where) {
  here().barrier(what, where);
}
int barrier_count(const char* what, bool predicate, const Where& where) {
  return here().barrier_count(what, predicate, where);
}
void warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                   void (*exchange)(void**, unsigned)) {
  here().warp_exchange(mask, what, where, slot, exchange);
}
int lane() {
  return here().lane();
}
void wait_for_launch_before() {
  here().wait_for_launch_before();
}
void let_next_launch_begin(const Where& where) {
  here().let_next_launch_begin(where);
}
void* dynamic_shared_memory() {
  return here().shared_memory();
}
void cluster_barrier(const char* what, const Where& where) {
  here().cluster_barrier(what, where);
}
void grid_barrier(const char* what, const Where& where) {
  here().grid_barrier(what, where);
}
unsigned cluster_rank() {
  return here().cluster_rank();
}
unsigned cluster_size() {
  return here().cluster_size();
}
void* shared_of_block(const void* shared, unsigned rank, const Where& where) {
  return here().shared_of_block(shared, rank, where);
}

unsigned ballot(unsigned mask, const char* what, const Where& where, bool predicate) {
  struct Vote {
    bool in;
    unsigned result;
  } slot{predicate, 0};
  exchange(mask, what, where, slot, [](Vote** votes, unsigned lanes) {
    unsigned result = 0;
    for (unsigned l = 0; l < 32; ++l) {
      if ((lanes >> l & 1) != 0 && votes[l]->in) result |= 1u << l;
    }
    for (unsigned l = 0; l < 32; ++l) {
      if ((lanes >> l & 1) != 0) votes[l]->result = result;
    }
  });
  return slot.result;
}

void copy_async(void* shared, const void* global, size_t bytes, size_t valid) {
  here().copy_async({shared, global, bytes, valid});
}
void copy_async_commit() {
  here().copy_async_commit();
}
void copy_async_wait(size_t groups) {
  here().copy_async_wait(groups);
}

void background(const void* work, size_t bytes, void (*f)(void*)) {
  here().background(work, bytes, f);
}
void background_commit() {
  here().background_commit();
}
void background_wait(size_t groups) {
  here().background_wait(groups);
}

void BlockRunner::copy_async(const AsyncCopy& copy) {
  current_->copies.push_back(copy);
}

void BlockRunner::copy_async_commit() {
  size_t open = current_->copies.size();
  for (const size_t copies : current_->copies_a_group) open -= copies;
  current_->copies_a_group.push_back(open);
}

void BlockRunner::copy_async_wait(size_t groups) {
  std::vector<AsyncCopy>& copies = current_->copies;
  std::vector<size_t>& sizes = current_->copies_a_group;
  while (sizes.size() > groups) {
    for (size_t i = 0; i < sizes.front(); ++i) {
      const AsyncCopy& copy = copies[i];
      race_check_access(copy.from, copy.valid, false);
      race_check_access(copy.to, copy.bytes, true);
      std::memcpy(copy.to, copy.from, copy.valid);
      std::memset(static_cast<char*>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
    }
    copies.erase(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(sizes.front()));
    sizes.erase(sizes.begin());
  }
}

void BlockRunner::background(const void* work, size_t bytes, void (*f)(void*)) {
  BackgroundWork copy{f, {}};
  if (bytes > copy.bytes.size()) throw KernelError("too large a piece of background work");
  std::memcpy(copy.bytes.data(), work, bytes);
  current_->open_work.push_back(copy);
}

void BlockRunner::background_commit() {
  current_->work.push_back(std::exchange(current_->open_work, {}));
}

void BlockRunner::background_wait(size_t groups) {
  while (current_->work.size() > groups) {
    const std::vector<BackgroundWork> group = std::move(current_->work.front());
    current_->work.pop_front();
    for (const BackgroundWork& work : group) {
      BackgroundWork on_this_stack = work;
      on_this_stack.run(on_this_stack.bytes.data());
    }
  }
}

Observation BlockRunner::observe(const void* address) const {
  const auto is_shared = [address](const Block& block) {
    const auto* const at = static_cast<const char*>(address);
    return at >= block.shared.get() && at < block.shared.get() + block.shared_bytes;
  };
  const auto end = blocks_.begin() + static_cast<std::ptrdiff_t>(cluster_size_);
  const int number = current_->number;
  return {number,
          interval_,
          first_interval_,
          phase_interval_,
          block_interval_,
          block_->warp_interval[static_cast<size_t>(number / 32)],
          !current_->waited_for_launch,
          std::any_of(blocks_.begin(), end, is_shared)};
}

bool observe(const void* address, Observation& observation) {
  BlockRunner& runner = block_runner();
  if (!runner.running() || runner.on_a_stack(address)) return false;
  observation = runner.observe(address);
  return true;
}

}  // namespace burin::emulator
