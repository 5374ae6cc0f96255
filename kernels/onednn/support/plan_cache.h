#pragma once

#include <map>
#include <memory>
#include <vector>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/onednn/support/dnnl.h"

namespace burin::onednn {

/// All that a primitive depends on, as numbers: dtypes, extents, strides, parameters, threads.
class ProblemKey {
 public:
  ProblemKey() { add(compute_threads()); }

  ProblemKey& add(int64_t number) {
    words_.push_back(number);
    return *this;
  }
  /// An absent operand is told from every present one. Addresses do not count.
  ProblemKey& add(const ConstView& view) {
    add(view ? static_cast<int64_t>(view.dtype) : -1).add(view.rank());
    for (int i = 0; i < view.rank(); ++i) {
      add(view.dim(i)).add(view.dim(i) == 1 ? 1 : view.strides[i]);
    }
    return *this;
  }
  bool operator<(const ProblemKey& other) const { return words_ < other.words_; }

 private:
  std::vector<int64_t> words_;
};

/// The plans of one op on one stream. `Plan` has a name of its own, a member `refusal`, and may be
/// made without arguments.
template <class Plan>
struct PlanCache {
  static constexpr std::string_view name = Plan::name;
  static constexpr size_t most = 1024;  // a service that meets ever new shapes must not grow
  std::map<ProblemKey, std::unique_ptr<Plan>> plans;
};

/// The plan for a problem, made by make(plan, handle) when it is first met. What oneDNN refuses is
/// remembered as the plan's refusal, so that asking again is cheap.
template <class Plan, class Make>
Plan& plan_for(Stream& stream, const ProblemKey& key, const Make& make) {
  auto& plans = stream.state<PlanCache<Plan>>().plans;
  const auto found = plans.find(key);
  if (found != plans.end()) return *found->second;
  if (plans.size() >= PlanCache<Plan>::most) plans.clear();
  auto plan = std::make_unique<Plan>();
  try {
    make(*plan, stream.state<Handle>());
  } catch (const dnnl::error& error) {
    plan->refusal = str("oneDNN has nothing for this problem (", error.what(), ')');
  }
  return *plans.emplace(key, std::move(plan)).first->second;
}

}  // namespace burin::onednn
