#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "burin/kernels/cudnn/support/backend.h"
#include "burin/kernels/op.h"

namespace burin::cudnn {

/// All that a plan depends on, as numbers: which op, dtypes, extents, strides, parameters.
class ProblemKey {
 public:
  explicit ProblemKey(std::string_view op);
  ProblemKey& add(int64_t number) {
    words_.push_back(number);
    return *this;
  }
  /// An absent operand is told from every present one. Addresses do not count.
  ProblemKey& add(const ConstView& view);
  bool operator<(const ProblemKey& other) const { return words_ < other.words_; }

 private:
  std::vector<int64_t> words_;
};

/// What an engine may do. None may differ from run to run.
struct EngineRules {
  bool tensor_cores = true;  // with f32 operands they round to TF32
};

/// A graph of operations that cuDNN runs as one: the engines that can, best first by cuDNN's
/// heuristics. With BURIN_AUTOTUNE=1 the first run times the best few once and remembers which won;
/// never once it was recorded.
class Plan {
 public:
  /// Asks the heuristics for engines that fit the rules. None: refusal says so.
  Plan(cudnnHandle_t handle, const std::vector<Descriptor>& operations, const EngineRules& rules);
  /// A problem that cuDNN refuses, in its words.
  explicit Plan(std::string why) : refusal(std::move(why)) {}

  std::string refusal;  // empty: it can run
  /// Enough for whichever engine will run.
  size_t workspace_bytes() const;
  /// Whether a recording may run it. Its engines have to stay then: kernels that cuDNN has compiled
  /// for a plan can go with it.
  bool is_recorded() const { return recorded_; }
  void run(cudnnHandle_t handle, Stream& stream,
           const std::vector<std::pair<TensorId, const void*>>& operands, Workspace workspace);

 private:
  struct Engine {
    Descriptor plan;
    size_t workspace_bytes;
  };
  void tune(cudnnHandle_t handle, Stream& stream, const Descriptor& variant_pack);
  std::vector<Engine> engines_;
  bool tuned_ = false;
  bool recorded_ = false;
};

/// The plans of a stream, by problem.
struct PlanCache {
  static constexpr std::string_view name = "cudnn plans";
  static constexpr int64_t most = 1024;  // a service that meets ever new shapes must not grow
  std::map<ProblemKey, Plan> plans;

  /// Drops all that no recording runs where they are too many, but never while work is recorded.
  void make_room(Stream& stream);
};

/// The plan for a problem; make(handle) gives the operations when it is first met. What cuDNN
/// refuses is remembered as the plan's refusal.
template <class Make>
Plan& plan_for(Stream& stream, const ProblemKey& key, const EngineRules& rules, const Make& make) {
  auto& cache = stream.state<PlanCache>();
  auto& plans = cache.plans;
  const auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  cache.make_room(stream);
  const cudnnHandle_t handle = handle_of(stream);
  try {
    return plans.emplace(key, Plan(handle, make(), rules)).first->second;
  } catch (const Error& error) {
    return plans.emplace(key, Plan(str("cuDNN has nothing for this problem (", error.what(), ')')))
        .first->second;
  }
}

/// Whether an operand begins where the plans promise it does.
inline bool is_aligned(const ConstView& view) {
  return reinterpret_cast<uintptr_t>(view.data) % 16 == 0;
}

}  // namespace burin::cudnn
