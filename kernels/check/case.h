#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "burin/kernels/check/operands.h"
#include "burin/kernels/check/tolerance.h"
#include "burin/kernels/dispatch.h"

namespace burin::checks {

/// One output of a problem and what the definition says of each of its elements (by logical index).
struct Expectation {
  std::string what;  // "dx"
  View actual;
  std::function<Expected(int64_t index)> at;
  double factor = default_factor;  // see tolerance(); a larger one needs a comment where it is set
  int64_t all_up_to = 200'000;     // elements that are compared without picking a sample
};

/// An op ready to run, its operands in memory, with what must come out.
template <class Op>
struct Problem {
  Op op;
  std::vector<Expectation> expectations;
  double flops = 0;  // floating-point operations of the definition, a multiply-add counting as 2
  double bytes = 0;  // each operand read or written once
};

/// The outcome for one implementation and one case.
struct Verdict {
  bool passed = false;
  double worst = 0;     // largest error ÷ its tolerance
  std::string message;  // where and by how much it failed
};

struct Timing {
  double seconds = 0;  // of one run, median
  double flops = 0;
  double bytes = 0;
};

/// What a case is, for people and for selecting.
struct CaseInfo {
  std::string why;      // the reason the case exists: "ResNet stem"
  std::string problem;  // "x [2, 3, 32, 32] w [8, 3, 7, 7] stride 2 pad 3"
  DType dtype = DType::f32;
  Layout layout = Layout::nhwc;
  bool large = false;  // a real network's size: for benchmarks, checked on a sample of elements
};

/// A case of one op with its types erased, so that tests, benchmarks and the command can walk over
/// all.
class OpCase {
 public:
  explicit OpCase(CaseInfo case_info) : info(std::move(case_info)) {}
  virtual ~OpCase();

  const CaseInfo info;
  virtual std::string_view op() const = 0;
  /// How many operands it has.
  virtual int operand_count(Device device) const = 0;
  /// Every implementation's answer, in dispatch order.
  virtual std::vector<Candidate> candidates(Device device, Misaligned misaligned) const = 0;
  /// Runs one implementation (it must accept) and compares all outputs with the definition.
  virtual Verdict check(std::string_view implementation, Device device,
                        Misaligned misaligned) const = 0;
  /// Runs it for about `seconds` after a warm-up, on warm operands.
  virtual Timing time(std::string_view implementation, Device device, double seconds) const = 0;
};

/// Holds `actual` against the definition; large outputs on a sample of elements.
Verdict compare(const Expectation& expectation, Operands& operands);

/// Scratch memory between guard zones, filled with NaN: what a kernel may not rely on.
class GuardedWorkspace {
 public:
  GuardedWorkspace(Operands& operands, size_t bytes);
  Workspace get() const { return {view_.data, bytes_}; }

 private:
  View view_;
  size_t bytes_;
};

/// Runs `implementation` on a fresh problem and compares. Exposed so that a test can plant a wrong
/// kernel.
template <class Op>
Verdict check_implementation(const std::function<Problem<Op>(Operands&)>& make,
                             const Implementation<Op>& implementation, Device device,
                             Misaligned misaligned) {
  Operands operands(device, misaligned);
  const Problem<Op> problem = make(operands);
  const Context context{operands.stream()};
  const GuardedWorkspace workspace(operands, implementation.workspace_bytes(problem.op, context));
  implementation.run(problem.op, workspace.get(), operands.stream());
  if (const std::string damage = operands.damage(); !damage.empty()) return {false, 0, damage};
  Verdict verdict{true, 0, ""};
  for (const Expectation& expectation : problem.expectations) {
    Verdict one = compare(expectation, operands);
    verdict.worst = std::max(verdict.worst, one.worst);
    if (!one.passed) return one;
  }
  return verdict;
}

template <class Op>
const Implementation<Op>& find_implementation(std::string_view name, DeviceKind device) {
  for (const Registry::Entry& entry : registry().entries(Op::name, device)) {
    if (entry.name == name) {
      return *static_cast<const Implementation<Op>*>(entry.implementation.get());
    }
  }
  fail(Op::name, ": there is no implementation '", name, "' on ", name_of(device));
}

/// Median time of one call of queue(): two calls to warm up, then as many rounds as fit into
/// `seconds`, at least three. Calls are queued back to back and waited for together, so many a
/// round that what a launch and the wait cost disappears in the kernels' time.
double median_seconds(const std::function<void()>& queue, const std::function<void()>& wait,
                      double seconds);

template <class Op>
class TypedCase final : public OpCase {
 public:
  using Make = std::function<Problem<Op>(Operands&)>;
  TypedCase(CaseInfo case_info, Make make) : OpCase(std::move(case_info)), make_(std::move(make)) {}

  std::string_view op() const override { return Op::name; }

  int operand_count(Device device) const override {
    Operands operands(device);
    make_(operands);
    return operands.count();
  }

  std::vector<Candidate> candidates(Device device, Misaligned misaligned) const override {
    Operands operands(device, misaligned);
    const Problem<Op> problem = make_(operands);
    return burin::candidates(problem.op, Context{operands.stream()});
  }

  Verdict check(std::string_view implementation, Device device,
                Misaligned misaligned) const override {
    return check_implementation<Op>(make_, find_implementation<Op>(implementation, device.kind),
                                    device, misaligned);
  }
  Problem<Op> make(Operands& operands) const { return make_(operands); }
  /// The same for one that is not registered: a test plants wrong kernels to see them caught.
  Verdict check(const Implementation<Op>& implementation, Device device) const {
    return check_implementation<Op>(make_, implementation, device, all_aligned);
  }

  Timing time(std::string_view name, Device device, double seconds) const override {
    const auto& implementation = find_implementation<Op>(name, device.kind);
    Operands operands(device);
    const Problem<Op> problem = make_(operands);
    const Context context{operands.stream()};
    const GuardedWorkspace workspace(operands, implementation.workspace_bytes(problem.op, context));
    const auto queue = [&] { implementation.run(problem.op, workspace.get(), operands.stream()); };
    const auto wait = [&] { runtime_of(device).synchronize(operands.stream()); };
    return {median_seconds(queue, wait, seconds), problem.flops, problem.bytes};
  }

 private:
  Make make_;
};

/// All cases, in the order they were added.
class Cases {
 public:
  template <class Op>
  void add(CaseInfo info, typename TypedCase<Op>::Make make) {
    list_.push_back(std::make_unique<TypedCase<Op>>(std::move(info), std::move(make)));
  }
  const std::vector<std::unique_ptr<OpCase>>& list() const { return list_; }

 private:
  std::vector<std::unique_ptr<OpCase>> list_;
};

/// The cases of every op; made once.
const Cases& all_cases();

/// Which of a case's operands is misaligned where that is tried for one of them: drawn, so that it
/// is another one in cases that are alike, and the same at each run.
Misaligned misaligned_operand(const OpCase& one, Device device);

/// The cases of ops named `op` or beginning with `op` and an underscore; all for an empty name.
std::vector<const OpCase*> cases_of(std::string_view op);

}  // namespace burin::checks
