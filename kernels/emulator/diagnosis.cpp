// The words in which the runner reports what a kernel did wrong.
#include <algorithm>
#include <string_view>

#include "burin/kernels/emulator/block_runner.h"
#include "burin/kernels/emulator/place.h"

namespace burin::emulator {

std::string place(uint3 index) {
  return str('(', index.x, ',', index.y, ',', index.z, ')');
}

std::string place(const Where& where) {
  const std::string_view file = where.file;
  return str(file.substr(file.rfind('/') + 1), ':', where.line);
}

void BlockRunner::fail_here(const char* what, const Where& where, const std::string& why) {
  current_->waits_at = what;
  current_->where = where;
  throw KernelError(str(why, ": ", what, " at ", place(where), " in block ", place(blockIdx),
                        " thread ", place(current_->index), '\n', where_everyone_is()));
}

std::string BlockRunner::where_everyone_is() const {
  struct Group {
    std::string state;
    const Thread *first, *last;
    int count;
  };
  std::vector<Group> groups;
  for (int i = 0; i < count_; ++i) {
    const Thread& thread = threads_[static_cast<size_t>(i)];
    const bool ready = (ready_warps_ >> (i / 32) & 1) != 0 &&
                       (ready_[static_cast<size_t>(i / 32)] >> (i % 32) & 1) != 0;
    std::string state = thread.done ? "have returned" : "have not got this far";
    if (thread.waits_at != nullptr && !ready) {
      state = str("wait at ", thread.waits_at, ' ', place(thread.where));
      const bool of_block = std::string_view(thread.waits_at).starts_with("__syncthreads");
      if (!of_block) state += str(" mask 0x", std::hex, thread.mask);
    }
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const Group& group) { return group.state == state; });
    if (known == groups.end()) {
      groups.push_back({state, &thread, &thread, 1});
    } else {
      known->last = &thread;
      ++known->count;
    }
  }
  std::string text = str("block ", place(blockIdx), " can't go on:");
  for (const Group& group : groups) {
    text += str("\n  ", group.count, " threads ", group.state, ": ", place(group.first->index));
    if (group.count > 1) text += str(" .. ", place(group.last->index));
  }
  return text;
}

}  // namespace burin::emulator
