#include <map>
#include <set>

#include "burin/apps/kernels_selection.h"
#include "burin/apps/table.h"
#include "burin/kernels/plugin.h"

namespace burin::apps {
namespace {

struct Count {
  int accepted = 0;
  int cases = 0;
};

/// How an implementation answers to an op's cases.
struct Answers {
  std::map<std::pair<DType, Layout>, Count> counts;
  std::map<std::string, std::pair<int, std::string>> refusals;  // reason → how often, first case
  int cases = 0;
  int accepted = 0;
};

std::string description_of(const checks::CaseInfo& info) {
  return str(info.problem, ' ', info.dtype, ' ', info.layout, " (", info.why, ")");
}

using AnswersByOp = std::map<std::string, std::map<std::string, Answers>>;

AnswersByOp ask_all(const KernelSelection& selection) {
  AnswersByOp all;
  for (const checks::OpCase* const one : selected_cases(selection)) {
    if (one->info.large) continue;  // seconds of memory traffic for the answers the small ones give
    for (const Candidate& candidate : one->candidates(selection.device, checks::all_aligned)) {
      if (!is_selected(selection, one->op(), candidate.name)) continue;
      Answers& answers = all[std::string(one->op())][candidate.name];
      Count& count = answers.counts[{one->info.dtype, one->info.layout}];
      ++count.cases;
      ++answers.cases;
      if (candidate.refusal.empty()) {
        ++count.accepted;
        ++answers.accepted;
      } else {
        auto& [times, example] = answers.refusals[candidate.refusal];
        if (++times == 1) example = description_of(one->info);
      }
    }
  }
  return all;
}

std::string cell(const Answers& answers, DType dtype) {
  std::string text;
  for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
    const auto found = answers.counts.find({dtype, layout});
    if (found == answers.counts.end() || found->second.accepted == 0) continue;
    const auto [accepted, cases] = found->second;
    text += str(text.empty() ? "" : " ", layout);
    if (accepted < cases) text += str(' ', accepted, '/', cases);
  }
  return text.empty() ? "-" : text;
}

void print_families(std::ostream& out) {
  Table table({"family", "", "reason or level"});
  for (const FamilyStatus& status : families()) {
    table.add({status.family, status.loaded ? "loaded" : "missing",
               status.reason.empty() ? status.path : status.reason});
  }
  table.print(out);
}

void print_answers(std::ostream& out, const Registry::Entry& entry, const Answers* answers) {
  out << "  place " << entry.place << "  " << entry.name;
  if (entry.only_when_named) {
    out << "  (" << (entry.caveat.empty() ? "a plug-in of the user" : entry.caveat)
        << ": runs when named with --impl)";
  }
  if (answers == nullptr) {
    out << '\n';
    return;
  }
  out << ": accepts " << answers->accepted << " of " << answers->cases << " cases\n";
  for (const auto& [reason, often] : answers->refusals) {
    out << "      refuses " << often.first << ": " << reason << "\n        first: " << often.second
        << '\n';
  }
}

}  // namespace

void print_kernel_table(std::ostream& out, const KernelSelection& selection) {
  const AnswersByOp all = ask_all(selection);
  Table table({"op", "implementation", "f32", "bf16", "f16"});
  for (const auto& [op, by_name] : all) {
    bool first = true;
    for (const Registry::Entry& entry : registry().entries(op, selection.device.kind)) {
      const auto found = by_name.find(entry.name);
      if (found == by_name.end()) continue;
      const Answers& answers = found->second;
      const std::string caveat = entry.caveat.empty() ? "" : str(" (", entry.caveat, ")");
      table.add({first ? op : "", entry.name + caveat, cell(answers, DType::f32),
                 cell(answers, DType::bf16), cell(answers, DType::f16)});
      first = false;
    }
  }
  table.print(out);
  out << "\nIn the order they are tried on " << selection.device
      << "; n/m: accepts n of the m cases of kernels/check. burin kernels OP --why says why.\n";
}

void print_kernel_reasons(std::ostream& out, const KernelSelection& selection) {
  print_families(out);
  const AnswersByOp all = ask_all(selection);
  std::set<std::string> ops;
  for (const checks::OpCase* const one : selected_cases(selection)) ops.emplace(one->op());
  for (const std::string& op : ops) {
    out << '\n' << op << " on " << selection.device << ", tried in this order:\n";
    const auto by_name = all.find(op);
    for (const Registry::Entry& entry : registry().entries(op, selection.device.kind)) {
      if (!is_selected(selection, op, entry.name)) continue;
      const bool asked = by_name != all.end() && by_name->second.count(entry.name) > 0;
      print_answers(out, entry, asked ? &by_name->second.at(entry.name) : nullptr);
    }
    if (registry().entries(op, selection.device.kind).empty()) out << "  nothing is registered\n";
  }
}

}  // namespace burin::apps
