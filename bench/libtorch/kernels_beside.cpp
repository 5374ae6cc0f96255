// The operators of the networks beside LibTorch's, one row a case of kernels/check: both on the
// same operands, in nhwc (channels_last), interleaved, with equal results or not at all. LibTorch's
// calls include what choosing a kernel and a place for the result cost it, some microseconds: rows
// of less than twenty say little.
//
//   burin_libtorch_bench [--filter TEXT] [--rounds N] [--json FILE]
//
// Weights carry no key, so both sides bring them into their own layouts in every call, as in
// training. scripts/bench_kernels.sh runs it with LibTorch in its strongest setting.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/check/case.h"
#include "operators.h"
#include "tensors.h"

namespace burin::bench {
namespace {

struct Options {
  std::string filter, json;
  int rounds = 5;
};

/// A problem ready on both sides.
struct Sides {
  std::function<void()> burin;
  Operator libtorch;
  ConstView result;  // burin's
  std::string implementation;
  double flops = 0, bytes = 0;
};

struct Row {
  std::string name, implementation, problem;
  double burin_ms = 0, libtorch_ms = 0, ratio = 0, ratio_min = 0, ratio_max = 0;
  double gflops = 0, gigabytes = 0;  // burin's, a second
};

/// An op's first output.
template <class Op>
ConstView result_of(const Op& op) {
  if constexpr (requires { op.slots.front().parameter; }) {
    return op.slots.front().parameter;
  } else if constexpr (requires { op.slots.front().average; }) {
    return op.slots.front().average;
  } else if constexpr (requires { op.dq; }) {
    return op.dq;
  } else if constexpr (requires { op.dlogits; }) {
    return op.dlogits;
  } else if constexpr (requires { op.loss; }) {
    return op.loss;
  } else if constexpr (requires { op.dx; }) {
    return op.dx;
  } else if constexpr (requires { op.dw; }) {
    return op.dw;
  } else {
    return op.y;
  }
}

/// Both sides begin without a history.
void prepare(AdamStep& op) {
  for (const AdamStep::Slot& slot : op.slots) {
    tensor_of(slot.first_moment).zero_();
    tensor_of(slot.second_moment).zero_();
  }
}
void prepare(SgdStep& op) {
  op.scalars.as<float>()[scalar_step] = 0;
}
/// What forward would have kept: the case brings any values, LibTorch computes its own.
void prepare(AttentionBackward& op) {
  const torch::Tensor scores =
      at::matmul(tensor_of(op.q), tensor_of(op.k).transpose(-2, -1)) * op.scale;
  tensor_of(op.y).copy_(at::matmul(at::softmax(scores, -1), tensor_of(op.v)));
  tensor_of(op.log_sum_exp).copy_(at::logsumexp(scores, -1));
}
template <class Op>
void prepare(Op& op) {
  if constexpr (requires { op.w.key; }) op.w.key = {};
  if constexpr (requires { op.b.key; }) op.b.key = {};
}

/// Nothing where the case is of another op.
template <class Op>
std::optional<Sides> sides_of(const checks::OpCase& one, checks::Operands& operands) {
  const auto* const typed = dynamic_cast<const checks::TypedCase<Op>*>(&one);
  if (typed == nullptr) return std::nullopt;
  const checks::Problem<Op> problem = typed->make(operands);
  Op op = problem.op;
  prepare(op);
  const Context context{operands.stream()};
  const Implementation<Op>& chosen = choose(op, context);
  const auto workspace =
      std::make_shared<checks::GuardedWorkspace>(operands, chosen.workspace_bytes(op, context));
  return Sides{[op, &chosen, workspace, &stream = operands.stream()] {
                 chosen.run(op, workspace->get(), stream);
               },
               operator_of(op),
               result_of(op),
               std::string(chosen.name),
               problem.flops,
               problem.bytes};
}

template <class... Ops>
std::optional<Sides> sides_of_any(const checks::OpCase& one, checks::Operands& operands) {
  std::optional<Sides> sides;
  ((sides = sides ? std::move(sides) : sides_of<Ops>(one, operands)), ...);
  return sides;
}

/// Throws Error unless the results are equal up to what another order of summation does.
void check_equal(const Sides& sides, DType dtype) {
  sides.burin();
  const torch::Tensor theirs = sides.libtorch().to(torch::kFloat);
  const torch::Tensor ours = tensor_of(sides.result).to(torch::kFloat).view_as(theirs);
  const double largest = theirs.nan_to_num(0, 0, 0).abs().max().item<double>();
  const double allowed =
      dtype == DType::f32 ? 1e-4 : 3e-2;  // some units of bf16: both round on the way
  if (at::isclose(ours, theirs, 0, allowed * largest, true).all().item<bool>()) return;
  fail("the results differ by ", (ours - theirs).abs().max().item<double>(), " of ", largest);
}

template <class F>
double milliseconds_of(const F& call, int calls) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int i = 0; i < calls; ++i) call();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count() / calls;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// What a problem is called once its weights carry no key.
std::string without_key(std::string problem) {
  constexpr std::string_view keyed = " keyed";
  const size_t at = problem.find(keyed);
  return at == std::string::npos ? problem : problem.erase(at, keyed.size());
}

Row time_of(const checks::OpCase& one, const Sides& sides, int rounds) {
  constexpr double round_ms = 20;
  const auto calls_for = [](double ms) {
    return std::clamp(static_cast<int>(round_ms / ms), 1, 200);
  };
  const int ours = calls_for(milliseconds_of(sides.burin, 2));
  const int theirs = calls_for(milliseconds_of(sides.libtorch, 2));
  std::vector<double> burin, libtorch, ratios;
  for (int round = 0; round < rounds; ++round) {
    burin.push_back(milliseconds_of(sides.burin, ours));
    libtorch.push_back(milliseconds_of(sides.libtorch, theirs));
    ratios.push_back(libtorch.back() / burin.back());
  }
  Row row;
  row.name = str(one.op(), ' ', one.info.dtype);
  row.implementation = sides.implementation;
  row.problem = without_key(one.info.problem);
  row.burin_ms = median(burin);
  row.libtorch_ms = median(libtorch);
  row.ratio = median(ratios);
  row.ratio_min = *std::min_element(ratios.begin(), ratios.end());
  row.ratio_max = *std::max_element(ratios.begin(), ratios.end());
  row.gflops = sides.flops / row.burin_ms * 1e-6;
  row.gigabytes = sides.bytes / row.burin_ms * 1e-6;
  return row;
}

template <class... Ops>
bool one_of(std::string_view op) {
  return ((op == Ops::name) || ...);
}

/// A network's sizes at 224×224; of the weight gradients those that lie in the dtype of x, as
/// LibTorch's do.
bool belongs(const checks::OpCase& one) {
  const checks::CaseInfo& info = one.info;
  // A layout means nothing to them.
  const bool rows = one_of<Matmul, AttentionForward, AttentionBackward, LayerNormForward,
                           LayerNormBackward, GrnForward, GrnBackward, SoftmaxForward,
                           SoftmaxBackward, CrossEntropyForward, CrossEntropyBackward>(one.op());
  const bool other_result = info.dtype == DType::bf16 && info.problem.ends_with("-> f32");
  const bool lies_right = info.layout == Layout::nhwc || rows || one.op() == Copy::name;
  const bool compares = !info.problem.starts_with("sign ");  // LibTorch's makes 0 of NaN
  return info.large && lies_right && compares && info.dtype != DType::f16 && !other_result &&
         info.why.find("on 28×28") == std::string::npos;
}

void print(const Row& row) {
  std::cout << std::fixed << std::setprecision(3) << std::setw(9) << row.burin_ms << std::setw(10)
            << row.libtorch_ms << std::setprecision(2) << std::setw(7) << row.ratio << " ("
            << row.ratio_min << " to " << row.ratio_max << ")" << std::setprecision(0)
            << std::setw(7) << row.gflops << std::setw(6) << row.gigabytes << "  " << row.name
            << "  " << row.problem << "  " << row.implementation << std::endl;
}

void write_json(const std::string& path, const std::vector<Row>& rows) {
  std::ofstream out(path);
  out << "[\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    out << R"( {"op": ")" << row.name << R"(", "problem": ")" << row.problem
        << R"(", "implementation": ")" << row.implementation << R"(", "burin_ms": )" << row.burin_ms
        << R"(, "libtorch_ms": )" << row.libtorch_ms << R"(, "ratio": )" << row.ratio
        << R"(, "ratio_min": )" << row.ratio_min << R"(, "ratio_max": )" << row.ratio_max
        << R"(, "gflops": )" << row.gflops << R"(, "gigabytes_per_s": )" << row.gigabytes
        << (i + 1 < rows.size() ? "},\n" : "}\n");
  }
  out << "]\n";
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    check(i + 1 < argc, name, ": a value is missing");
    if (name == "--filter") {
      options.filter = argv[i + 1];
    } else if (name == "--rounds") {
      options.rounds = std::stoi(argv[i + 1]);
    } else if (name == "--json") {
      options.json = argv[i + 1];
    } else {
      fail("usage: burin_libtorch_bench [--filter TEXT] [--rounds N] [--json FILE]");
    }
  }
  return options;
}

/// The number of rows that could not be counted.
int run(const Options& options) {
  const torch::NoGradGuard no_grad;
  torch::set_num_threads(compute_threads());
  std::cout << compute_threads() << " threads, LibTorch " << TORCH_VERSION
            << "\n burin ms  LibTorch"
            << "  ratio (min to max) GFLOP/s GB/s\n";
  std::vector<Row> rows;
  int failed = 0;
  for (const auto& one : checks::all_cases().list()) {
    if (!belongs(*one)) continue;
    const std::string name = str(one->op(), ' ', one->info.dtype, ' ', one->info.problem);
    if (name.find(options.filter) == std::string::npos) continue;
    try {
      checks::Operands operands(Device::cpu());
      const std::optional<Sides> sides =
          sides_of_any<Conv2dForward, Conv2dBackwardData, Conv2dBackwardWeight, BatchNormTrain,
                       BatchNormInference, BatchNormBackward, MaxPool2dForward, MaxPool2dBackward,
                       AdaptiveAvgPool2dForward, AdaptiveAvgPool2dBackward, Matmul,
                       AttentionForward, AttentionBackward, LayerNormForward, LayerNormBackward,
                       GrnForward, GrnBackward, SoftmaxForward, SoftmaxBackward,
                       CrossEntropyForward, CrossEntropyBackward, ActivationForward,
                       ActivationBackward, ElementwiseBinary, ElementwiseUnary, Reduce, Concat,
                       Copy, NormalizeU8, AdamStep, SgdStep, EmaStep>(*one, operands);
      if (!sides) continue;
      check_equal(*sides, one->info.dtype);
      rows.push_back(time_of(*one, *sides, options.rounds));
      print(rows.back());
    } catch (const std::exception& error) {
      ++failed;
      const std::string what = error.what();
      std::cout << "not counted: " << name << ": " << what.substr(0, what.find('\n')) << std::endl;
    }
  }
  if (!options.json.empty()) write_json(options.json, rows);
  return failed;
}

}  // namespace
}  // namespace burin::bench

int main(int argc, char** argv) {
  try {
    return burin::bench::run(burin::bench::read_options(argc, argv)) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "burin_libtorch_bench: error: " << error.what() << '\n';
    return 2;
  }
}
