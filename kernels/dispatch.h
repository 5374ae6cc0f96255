#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "burin/kernels/registry.h"

namespace burin {

/// Which implementation of an op runs.
///
/// The list of an op is ordered, fastest first. The first that accepts the problem and prefers it
/// runs; if none prefers it, the first that accepts. Rules change that. One syntax in three places,
/// the most specific wins: ImplGuard in code, set_implementations (`--impl`), BURIN_IMPL.
///
///   "cuda"                              prefer one family; where it has nothing, the list decides
///   "cuda/cluster"                      prefer one algorithm, of every op that has it
///   "conv2d=cuda/naive,matmul=cudnn"    by op; "conv2d" covers its three directions. Strict: if
///                                       the named one refuses, the error gives every candidate's
///                                       reason

/// Rules for this thread while the guard lives. Guards nest.
class ImplGuard {
 public:
  explicit ImplGuard(std::string_view rules);
  ~ImplGuard();
  ImplGuard(const ImplGuard&) = delete;
  ImplGuard& operator=(const ImplGuard&) = delete;
};

/// Rules for the whole process (`--impl`). Call before work begins. Throws Error for a name no
/// loaded family has.
void set_implementations(std::string_view rules);

/// The rules now in force in this thread, strongest first, as text; for checkpoints and logs.
std::string implementations_in_force();

/// One implementation and its answer to one problem.
struct Candidate {
  std::string name;
  Refusal refusal;  // empty: it accepts
  bool only_when_named = false;
  bool prefers = true;  // its place in the list holds for this problem
};

/// What every implementation of the op's list says to `op`.
template <class Op>
std::vector<Candidate> candidates(const Op& op, const Context& context) {
  std::vector<Candidate> result;
  for (const Registry::Entry& entry : registry().entries(Op::name, context.stream.device().kind)) {
    const auto& implementation =
        *static_cast<const Implementation<Op>*>(entry.implementation.get());
    Refusal refusal = implementation.accepts(op, context);
    const bool prefers = refusal.empty() && implementation.prefers(op, context);
    result.push_back({entry.name, std::move(refusal), entry.only_when_named, prefers});
  }
  return result;
}

namespace detail {
/// The entries to try for an op, in order, under the rules in force.
struct Plan {
  std::vector<const Registry::Entry*> entries;
  size_t asked_for = 0;     // of these, at the front, come from a family that a rule prefers
  std::string strict_rule;  // "conv2d=cuda/naive", if a rule named the entries; else empty
};
Plan plan_for(std::string_view op, DeviceKind device);
void log_decision(std::string_view op, std::string_view implementation);
[[noreturn]] void fail_no_implementation(std::string_view op, DeviceKind device, const Plan& plan,
                                         const std::vector<Candidate>& candidates);
}  // namespace detail

/// The implementation that runs `op` now. Throws Error with every candidate's reason if none
/// accepts.
template <class Op>
const Implementation<Op>& choose(const Op& op, const Context& context) {
  const DeviceKind device = context.stream.device().kind;
  const detail::Plan plan = detail::plan_for(Op::name, device);
  const Implementation<Op>* chosen = nullptr;
  for (size_t i = 0; i < plan.entries.size(); ++i) {
    const Registry::Entry* const entry = plan.entries[i];
    if (chosen != nullptr && (entry->place >= place::plain || i == plan.asked_for)) break;
    const auto& implementation =
        *static_cast<const Implementation<Op>*>(entry->implementation.get());
    if (!implementation.accepts(op, context).empty()) continue;
    const bool preferred = implementation.prefers(op, context);
    if (chosen == nullptr || preferred) chosen = &implementation;
    if (preferred) break;
  }
  if (chosen != nullptr) {
    detail::log_decision(Op::name, chosen->name);
    return *chosen;
  }
  detail::fail_no_implementation(Op::name, device, plan, candidates(op, context));
}

}  // namespace burin
