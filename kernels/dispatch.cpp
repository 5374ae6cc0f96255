#include "burin/kernels/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>

#include "burin/kernels/plugin.h"

namespace burin {
namespace {

struct Rule {
  std::string op;              // empty: a preferred family for every op
  std::string implementation;  // "cuda" or "cuda/naive"
};
using Rules = std::vector<Rule>;

bool names(std::string_view pattern, std::string_view implementation) {
  return implementation == pattern || family_of(implementation) == pattern;
}

bool covers(std::string_view prefix, std::string_view op) {
  return op == prefix || (op.starts_with(prefix) && op[prefix.size()] == '_');
}

/// Throws Error unless some op that `rule` covers has an implementation of that name.
void check_known(const Rule& rule) {
  bool op_known = rule.op.empty();
  std::set<std::string> known;
  for (const auto& [op, device] : registry().ops()) {
    if (!rule.op.empty() && !covers(rule.op, op)) continue;
    op_known = true;
    for (const Registry::Entry& entry : registry().entries(op, device)) {
      if (names(rule.implementation, entry.name)) return;
      known.insert(rule.op.empty() ? std::string(family_of(entry.name)) : entry.name);
    }
  }
  check(op_known, "--impl: there is no op '", rule.op, "'");
  const FamilyStatus* missing = nullptr;
  for (const FamilyStatus& status : families()) {
    if (status.family != family_of(rule.implementation)) continue;
    missing = status.loaded ? nullptr : &status;  // a lower level may have come in after a higher
  }
  if (missing != nullptr) {
    fail("--impl: family ", missing->family, " is not available: ", missing->reason);
  }
  fail("--impl: no implementation '", rule.implementation, "'",
       rule.op.empty() ? "" : " of " + rule.op, "; there are: ", listed(known));
}

Rules parse(std::string_view text) {
  Rules rules;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      rules.push_back({"", std::string(part)});
    } else {
      rules.push_back({std::string(part.substr(0, equals)), std::string(part.substr(equals + 1))});
    }
    check_known(rules.back());
  }
  return rules;
}

// Written before work begins (set_implementations); read by every launch.
Rules& process_rules() {
  static Rules rules;
  return rules;
}

const Rules& environment_rules() {
  static const Rules rules = [] {
    const char* const text = std::getenv("BURIN_IMPL");
    return parse(text == nullptr ? "" : text);
  }();
  return rules;
}

std::vector<Rules>& guard_stack() {
  thread_local std::vector<Rules> stack;
  return stack;
}

/// Calls f with each level's rules, strongest level first.
template <class F>
void for_each_level(const F& f) {
  const std::vector<Rules>& stack = guard_stack();
  for (auto rules = stack.rbegin(); rules != stack.rend(); ++rules) f(*rules);
  f(process_rules());
  f(environment_rules());
}

}  // namespace

ImplGuard::ImplGuard(std::string_view rules) {
  guard_stack().push_back(parse(rules));
}
ImplGuard::~ImplGuard() {
  guard_stack().pop_back();
}

void set_implementations(std::string_view rules) {
  process_rules() = parse(rules);
}

std::string implementations_in_force() {
  std::string text;
  for_each_level([&](const Rules& rules) {
    for (const Rule& rule : rules) {
      text +=
          (text.empty() ? "" : ",") + (rule.op.empty() ? "" : rule.op + "=") + rule.implementation;
    }
  });
  return text;
}

namespace detail {

Plan plan_for(std::string_view op, DeviceKind device) {
  const std::vector<Registry::Entry>& list = registry().entries(op, device);
  const Rule* strict = nullptr;
  std::vector<std::string_view> preferred;
  for_each_level([&](const Rules& rules) {
    if (strict != nullptr) return;
    // Within a level a rule for the op is more specific than a family for all.
    for (const Rule& rule : rules) {
      if (!rule.op.empty() && covers(rule.op, op)) strict = &rule;
    }
    if (strict != nullptr) return;
    for (const Rule& rule : rules) {
      if (rule.op.empty()) preferred.push_back(rule.implementation);
    }
  });

  Plan plan;
  const auto add_matching = [&](std::string_view pattern) {
    for (const Registry::Entry& entry : list) {
      const bool there =
          std::find(plan.entries.begin(), plan.entries.end(), &entry) != plan.entries.end();
      const bool named = entry.caveat.empty() ? names(pattern, entry.name) : entry.name == pattern;
      if (named && !there) plan.entries.push_back(&entry);
    }
  };
  for (const std::string_view family : preferred) add_matching(family);
  plan.asked_for = plan.entries.size();
  if (strict != nullptr) {
    if (preferred.empty()) {
      plan.strict_rule = strict->op + "=" + strict->implementation;
    }
    add_matching(strict->implementation);
    if (!plan.strict_rule.empty()) return plan;
  }
  for (const Registry::Entry& entry : list) {
    if (!entry.only_when_named) add_matching(entry.name);
  }
  return plan;
}

void log_decision(std::string_view op, std::string_view implementation) {
  static const bool wanted = [] {
    const char* const topics = std::getenv("BURIN_LOG");
    return topics != nullptr && std::string_view(topics).find("dispatch") != std::string_view::npos;
  }();
  if (!wanted) return;
  static std::mutex mutex;
  static std::set<std::string> seen;
  const std::lock_guard lock(mutex);
  const std::string line = str("dispatch: ", op, " -> ", implementation, "\n");
  if (seen.insert(line).second) std::clog << line;
}

void fail_no_implementation(std::string_view op, DeviceKind device, const Plan& plan,
                            const std::vector<Candidate>& candidates) {
  std::string message =
      plan.strict_rule.empty()
          ? str(op, ": no implementation on ", name_of(device), " accepts this problem")
          : str(op, ": the implementation asked for with ", plan.strict_rule, " does not run on ",
                name_of(device));
  if (candidates.empty()) message += "; none is registered";
  for (const Candidate& candidate : candidates) {
    message += str("\n  ", candidate.name, ": ",
                   candidate.refusal.empty() ? "would accept" : candidate.refusal);
  }
  throw Error(message);
}

}  // namespace detail
}  // namespace burin
