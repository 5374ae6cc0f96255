#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "burin/kernels/base/view.h"

namespace burin::cuda {

/// Which contents of long-lived operands, a layer's filter, launches of a stream have read. The
/// next that reads the same knows that they are older than the launch before it, whatever that was:
/// where it may overlap that one (launch_overlapped), it need not wait for it to read them.
class OperandsMet {
 public:
  static constexpr std::string_view name = "cuda/operands_met";

  /// Whether a launch of this stream has read them before; from now on one has.
  bool again(const ConstView& operand) {
    constexpr size_t most = 4096;
    if (!operand.key) return false;
    if (versions_.size() >= most) versions_.clear();
    const auto [known, is_new] = versions_.try_emplace(operand.key.storage, operand.key.version);
    const bool is_same = !is_new && known->second == operand.key.version;
    known->second = operand.key.version;
    return is_same;
  }

 private:
  std::unordered_map<uint64_t, uint64_t> versions_;  // by storage
};

}  // namespace burin::cuda
