#include <algorithm>
#include <optional>
#include <vector>

#include "burin/apps/exit.h"
#include "burin/apps/kernels_selection.h"
#include "burin/apps/table.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/check/roofline.h"

namespace burin::apps {
namespace {

/// What became of one implementation of one op.
struct Tally {
  std::string op;
  std::string implementation;
  int passed = 0;
  int refused = 0;
  int failed = 0;
  double worst = 0;  // error ÷ tolerance
  std::string worst_case = {};
};

std::string description_of(const checks::CaseInfo& info) {
  return str(info.problem, ' ', info.dtype, ' ', info.layout);
}

/// An exception is a failure like a wrong number: the implementation had accepted.
checks::Verdict check_one(const checks::OpCase& one, const std::string& name, Device device) {
  try {
    return one.check(name, device, checks::all_aligned);
  } catch (const Error& error) {
    return {false, 0, str("it threw: ", error.what())};
  }
}

/// The tally of (op, implementation), in the order of their first case.
Tally& tally_of(std::vector<Tally>& tallies, std::string_view op, const std::string& name) {
  const auto found = std::find_if(tallies.begin(), tallies.end(), [&](const Tally& tally) {
    return tally.op == op && tally.implementation == name;
  });
  if (found != tallies.end()) return *found;
  tallies.push_back({.op = std::string(op), .implementation = name});
  return tallies.back();
}

void check_case(std::ostream& out, const checks::OpCase& one, const Candidate& candidate,
                Device device, Tally& tally) {
  if (!candidate.refusal.empty()) {
    ++tally.refused;
    return;
  }
  const checks::Verdict verdict = check_one(one, candidate.name, device);
  if (!verdict.passed) {
    ++tally.failed;
    out << "FAILED  " << one.op() << "  " << candidate.name << "  " << description_of(one.info)
        << " (" << one.info.why << ")\n        " << verdict.message << '\n';
    return;
  }
  ++tally.passed;
  if (verdict.worst >= tally.worst) {
    tally.worst = verdict.worst;
    tally.worst_case = description_of(one.info);
  }
}

std::string percent_of_peak(const checks::Timing& timing, DType dtype,
                            const std::optional<checks::Roofline>& roofline) {
  if (!roofline) return "";
  const std::optional<double> share = checks::share_of_peak(timing, dtype, *roofline);
  return share ? fixed(*share * 100, 0) + " %" : "";
}

void describe_roofline(std::ostream& out, const checks::Roofline& roofline) {
  out << "\nmeasured peak of " << compute_threads() << " threads: f32 "
      << fixed(roofline.f32_flops * 1e-9, 0) << " GFLOP/s, ";
  if (roofline.bf16_flops > 0) {
    out << "bf16 " << fixed(roofline.bf16_flops * 1e-9, 0) << " GFLOP/s, ";
  }
  out << fixed(roofline.bytes * 1e-9, 1)
      << " GB/s copied\nof peak: the least time by these ÷ the time; above 100 % where an "
         "algorithm "
         "needs fewer operations, or operands come from a cache\n";
}

[[noreturn]] void fail_on_nothing(const KernelSelection& selection) {
  const bool runs_emulated =
      selection.device.kind == DeviceKind::cpu && family_of(selection.impl) == "cuda";
  throw Failure(
      exit_failed,
      str("no implementation was run: none of ", selection.op.empty() ? "the ops" : selection.op,
          selection.impl.empty() ? "" : " matches " + selection.impl + " and",
          " accepts a case on ", selection.device),
      runs_emulated ? "without a GPU, --device emulator runs the kernels of cuda"
                    : str("burin kernels ", selection.op, " --why gives the reasons"));
}

}  // namespace

int check_kernels(std::ostream& out, const KernelSelection& selection, Progress& progress) {
  std::vector<Tally> tallies;
  const std::vector<const checks::OpCase*> cases = selected_cases(selection);
  ProgressState state{.title = "check", .total = static_cast<int64_t>(cases.size())};
  for (const checks::OpCase* const one : cases) {
    ++state.done;
    state.values = {{"op", std::string(one->op())}};
    progress.update(state);
    if (one->info.large) continue;  // bench checks these
    for (const Candidate& candidate : one->candidates(selection.device, checks::all_aligned)) {
      if (!is_selected(selection, one->op(), candidate.name)) continue;
      check_case(out, *one, candidate, selection.device,
                 tally_of(tallies, one->op(), candidate.name));
    }
  }
  Table table({"op", "implementation", ">passed", ">refused", ">failed", ">worst", "at"});
  int passed = 0;
  int failed = 0;
  progress.clear();
  for (const Tally& tally : tallies) {
    passed += tally.passed;
    failed += tally.failed;
    table.add({tally.op, tally.implementation, str(tally.passed), str(tally.refused),
               str(tally.failed), fixed(tally.worst, 3), tally.worst_case});
  }
  if (passed + failed == 0) fail_on_nothing(selection);
  table.print(out);
  out << '\n'
      << passed << " passed, " << failed
      << " failed; worst: the largest error as a share of what is allowed\n";
  return failed;
}

int bench_kernels(std::ostream& out, const KernelSelection& selection, double seconds,
                  Progress& progress) {
  Table table({"op", "case", "dtype", "layout", "implementation", ">ms", ">GFLOP/s", ">GB/s",
               ">of peak", ""});
  int wrong = 0;
  std::optional<checks::Roofline> roofline;
  if (selection.device.kind == DeviceKind::cpu) roofline = checks::measure_roofline();
  const std::vector<const checks::OpCase*> cases = selected_cases(selection);
  ProgressState state{.title = "bench", .total = static_cast<int64_t>(cases.size())};
  for (const checks::OpCase* const one : cases) {
    ++state.done;
    if (!one->info.large) continue;
    state.values = {{"op", std::string(one->op())}};
    progress.update(state);
    for (const Candidate& candidate : one->candidates(selection.device, checks::all_aligned)) {
      if (!candidate.refusal.empty()) continue;
      if (!is_selected(selection, one->op(), candidate.name)) continue;
      const checks::Verdict verdict = check_one(*one, candidate.name, selection.device);
      if (!verdict.passed) ++wrong;
      const checks::Timing timing = one->time(candidate.name, selection.device, seconds);
      table.add({std::string(one->op()), one->info.problem, str(one->info.dtype),
                 str(one->info.layout), candidate.name, fixed(timing.seconds * 1e3, 3),
                 fixed(timing.flops / timing.seconds * 1e-9, 1),
                 fixed(timing.bytes / timing.seconds * 1e-9, 1),
                 percent_of_peak(timing, one->info.dtype, roofline),
                 verdict.passed ? "" : "WRONG: " + verdict.message});
    }
  }
  if (table.empty()) {
    throw Failure(exit_failed,
                  str("nothing to time: ", selection.op.empty() ? "no op" : selection.op,
                      " has no case of a network's size that the selection accepts"),
                  str("burin kernels ", selection.op, " --why gives the reasons"));
  }
  progress.clear();
  table.print(out);
  if (roofline) describe_roofline(out, *roofline);
  return wrong;
}

}  // namespace burin::apps
