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
    const BlockThread *first, *last;
    int count;
  };
  std::vector<Group> groups;
  for (int i = 0; i < count_; ++i) {
    const BlockThread& thread = block_->threads[static_cast<size_t>(i)];
    std::string state = thread.done ? "have returned" : "have not got this far";
    if (thread.waits_at != nullptr && !block_->is_ready(i)) {
      state = str("wait at ", thread.waits_at, ' ', place(thread.where));
      const std::string_view what = thread.waits_at;
      const bool of_warp = !what.starts_with("__syncthreads") && !what.starts_with("cluster.") &&
                           !what.starts_with("grid.");
      if (of_warp) state += str(" mask 0x", std::hex, thread.mask);
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
