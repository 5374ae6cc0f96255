#include "burin/apps/kernels_selection.h"

#include <set>

#include "burin/apps/exit.h"
#include "burin/apps/suggest.h"

namespace burin::apps {
namespace {

bool covers(std::string_view prefix, std::string_view op) {
  return op == prefix || (op.starts_with(prefix) && op[prefix.size()] == '_');
}

}  // namespace

std::vector<const checks::OpCase*> selected_cases(const KernelSelection& selection) {
  std::vector<const checks::OpCase*> cases = checks::cases_of(selection.op);
  if (!cases.empty()) return cases;
  std::set<std::string> names;
  for (const auto& one : checks::all_cases().list()) {
    // "conv2d" as well as "conv2d_forward"
    const std::string full(one->op());
    for (size_t end = full.find('_'); end != std::string::npos; end = full.find('_', end + 1)) {
      names.insert(full.substr(0, end));
    }
    names.insert(full);
  }
  const std::vector<std::string> known(names.begin(), names.end());
  throw Failure(exit_usage,
                str("there is no op '", selection.op, "'", did_you_mean(selection.op, known)),
                "burin kernels lists them");
}

bool is_selected(const KernelSelection& selection, std::string_view op,
                 std::string_view implementation) {
  if (selection.impl.empty()) return true;
  std::string_view rest = selection.impl;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view rule = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = rule.find('=');
    const bool about_op = equals == std::string_view::npos || covers(rule.substr(0, equals), op);
    const std::string_view named =
        equals == std::string_view::npos ? rule : rule.substr(equals + 1);
    if (about_op && (named == implementation || named == family_of(implementation))) return true;
  }
  return false;
}

}  // namespace burin::apps
