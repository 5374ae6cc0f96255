// What holds between the three directions of a convolution, what its implementations refuse, and
// that the cases in kernels/check catch wrong kernels. The values themselves: every_case_test.cpp.
#include "burin/kernels/conv2d.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <set>

#include "burin/kernels/check/case.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/run.h"
#include "kernels/planted.h"

namespace burin {
namespace {

using checks::Operands;

/// A convolution's operands, filled, and room for its three results.
struct Problem {
  Operands operands{Device::cpu()};
  View x, w, y, dx, dw;  // y holds dy as well: what forward is given to write is `out`
  View out;
  Conv2dParams params;

  Problem(const Shape& x_shape, const Shape& w_shape, const Conv2dParams& p) : params(p) {
    const Shape y_shape{x_shape[0], w_shape[0], p.output_h(x_shape[2], w_shape[2]),
                        p.output_w(x_shape[3], w_shape[3])};
    x = operands.input(DType::f32, x_shape, Layout::nhwc);
    w = operands.input(DType::f32, w_shape, Layout::nhwc);
    y = operands.input(DType::f32, y_shape, Layout::nhwc);
    out = operands.output(DType::f32, y_shape, Layout::nhwc);
    dx = operands.output(DType::f32, x_shape, Layout::nhwc);
    dw = operands.output(DType::f32, w_shape, Layout::nhwc);
  }
  Conv2dForward forward() const { return {x, w, out, params, {}}; }
  Conv2dBackwardData backward_data() const { return {y, w, dx, params}; }
  Conv2dBackwardWeight backward_weight() const { return {y, x, dw, params}; }

  double dot(const View& a, const View& b) {
    const std::vector<double> as = operands.read(a), bs = operands.read(b);
    double sum = 0;
    for (size_t i = 0; i < as.size(); ++i) sum += as[i] * bs[i];
    return sum;
  }
};

std::set<std::string> implementations() {
  std::set<std::string> names;
  for (const auto& entry : registry().entries(Conv2dForward::name, DeviceKind::cpu)) {
    names.insert(entry.name);
  }
  return names;
}

template <class Op>
bool accepts(const std::string& name, const Op& op, Stream& stream) {
  for (const Candidate& candidate : candidates(op, Context{stream})) {
    if (candidate.name == name) return candidate.refusal.empty();
  }
  return false;
}

/// True if the implementation takes all three directions.
bool accepts_all(const std::string& name, Problem& problem) {
  Stream& stream = problem.operands.stream();
  return accepts(name, problem.forward(), stream) &&
         accepts(name, problem.backward_data(), stream) &&
         accepts(name, problem.backward_weight(), stream);
}

/// Has no other direction: there is nothing to hold it against but the definition.
bool is_forward_only(const std::string& name) {
  for (const auto& entry : registry().entries(Conv2dBackwardData::name, DeviceKind::cpu)) {
    if (entry.name == name) return false;
  }
  return true;
}

/// y by the implementation, and dx and dw where it takes those too.
std::vector<std::vector<double>> results_of(const std::string& name, Problem& problem) {
  Stream& stream = problem.operands.stream();
  const bool backward = accepts_all(name, problem);
  const ImplGuard guard("conv2d=" + name);
  run(problem.forward(), stream);
  std::vector<std::vector<double>> results = {problem.operands.read(problem.out)};
  if (!backward) return results;
  run(problem.backward_data(), stream);
  run(problem.backward_weight(), stream);
  results.push_back(problem.operands.read(problem.dx));
  results.push_back(problem.operands.read(problem.dw));
  return results;
}

/// Memory of this process, in bytes.
size_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  size_t total = 0, resident = 0;
  status >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Conv2d, BackwardIsTheAdjointOfForward) {
  const struct {
    Shape x, w;
    Conv2dParams params;
  } cases[] = {
      {{2, 40, 9, 11}, {24, 40, 3, 3}, {.pad_h = 1, .pad_w = 1}},
      {{2, 16, 10, 7}, {8, 16, 3, 3}, {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
      {{2, 11, 9, 8}, {11, 1, 5, 5}, {.stride_h = 2, .pad_h = 2, .pad_w = 2, .groups = 11}},
      {{2, 6, 8, 9}, {8, 3, 5, 3}, {.stride_w = 2, .pad_h = 2, .dilation_w = 2, .groups = 2}},
      // So many filters that Winograd's transforms take a part of them at a time.
      {{1, 512, 14, 14}, {120, 512, 3, 3}, {.pad_h = 1, .pad_w = 1}},
  };
  for (const std::string& name : implementations()) {
    int accepted = 0;
    for (const auto& c : cases) {
      Problem problem(c.x, c.w, c.params);
      if (!accepts_all(name, problem)) continue;
      ++accepted;
      const ImplGuard guard("conv2d=" + name);
      run(problem.forward(), problem.operands.stream());
      run(problem.backward_data(), problem.operands.stream());
      run(problem.backward_weight(), problem.operands.stream());
      const double size =
          std::sqrt(problem.dot(problem.y, problem.y) * problem.dot(problem.out, problem.out));
      const double expected = problem.dot(problem.y, problem.out);
      EXPECT_NEAR(problem.dot(problem.dx, problem.x), expected, 1e-6 * size) << name << ' ' << c.x;
      EXPECT_NEAR(problem.dot(problem.dw, problem.w), expected, 1e-6 * size) << name << ' ' << c.x;
    }
    EXPECT_EQ(accepted > 0, !is_forward_only(name)) << name;
  }
}

TEST(Conv2d, EveryImplementationRepeatsItselfBitForBit) {
  for (const std::string& name : implementations()) {
    Problem problem({2, 40, 9, 11}, {24, 40, 3, 3}, {.pad_h = 1, .pad_w = 1});
    if (!accepts(name, problem.forward(), problem.operands.stream())) continue;
    EXPECT_EQ(results_of(name, problem), results_of(name, problem)) << name;
  }
}

/// Filters that are kept against filters without a name, bit for bit.
void follow_versions(const std::string& name, Problem& problem) {
  float* const weights = problem.w.as<float>();
  for (uint64_t version = 1; version <= 3; ++version) {
    weights[version] += 100;
    for (int use = 0; use < 3; ++use) {
      problem.w.key = {7, version};
      const auto kept = results_of(name, problem);
      problem.w.key = {};
      EXPECT_EQ(results_of(name, problem), kept) << name << " version " << version;
    }
  }
}

TEST(Conv2d, KeptWeightsFollowTheirVersion) {
  for (const std::string& name : implementations()) {
    Problem few({2, 40, 9, 11}, {24, 40, 3, 3}, {.pad_h = 1, .pad_w = 1});
    if (!accepts(name, few.forward(), few.operands.stream())) continue;
    follow_versions(name, few);
    // Kept, these lie whole in memory; without a name Winograd transforms a part at a time.
    Problem many({1, 512, 3, 4}, {120, 512, 3, 3}, {.pad_h = 1, .pad_w = 1});
    follow_versions(name, many);
  }
}

// Else a step of training, which makes new 16-bit copies of its weights, would keep them all.
TEST(Conv2d, OnednnKeepsNoWeightsThatWereUsedOnce) {
  Problem problem({1, 256, 4, 4}, {256, 256, 3, 3}, {.pad_h = 1, .pad_w = 1});
  if (implementations().count("onednn") == 0) GTEST_SKIP() << why_family_is_missing("onednn");
  if (!accepts_all("onednn", problem)) GTEST_SKIP() << "onednn refuses the problem here";
  const ImplGuard guard("conv2d=onednn");
  const auto use = [&](uint64_t storage) {
    problem.w.key = {storage, 1};
    run(problem.forward(), problem.operands.stream());
  };
  use(1);
  const size_t before = resident_bytes();
  constexpr uint64_t uses = 40;
  for (uint64_t storage = 2; storage < 2 + uses; ++storage) use(storage);
  const size_t weights = 256 * 256 * 9 * sizeof(float);
  EXPECT_LT(resident_bytes(), before + uses / 2 * weights);
}

TEST(Conv2d, RefusesInWords) {
  Problem strided({1, 4, 8, 8}, {4, 4, 3, 3}, {.stride_h = 2, .stride_w = 2});
  const ImplGuard guard("conv2d=cpu/winograd");
  try {
    run(strided.forward(), strided.operands.stream());
    FAIL() << "a stride of 2 is not Winograd's";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("conv2d_forward: the implementation asked for with "
                           "conv2d=cpu/winograd does not run on cpu"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("cpu/winograd: stride is not 1"), std::string::npos) << message;
    EXPECT_NE(message.find("cpu/direct: would accept"), std::string::npos) << message;
  }
}

/// How the dispatcher's list answers to forward, a line each.
std::vector<std::string> answers_to_forward(Problem& problem) {
  std::vector<std::string> lines;
  for (const Candidate& one : candidates(problem.forward(), Context{problem.operands.stream()})) {
    const std::string accepted = one.prefers ? "accepts" : "does not prefer";
    lines.push_back(one.name + ": " + (one.refusal.empty() ? accepted : one.refusal));
  }
  return lines;
}

TEST(Conv2d, IsDispatchedAsThePictureInDocsShows) {
  if (implementations().count("onednn") == 0) GTEST_SKIP() << why_family_is_missing("onednn");
  Problem problem({1, 128, 28, 28}, {256, 128, 3, 3},
                  {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
  const std::vector<std::string> shown = {
      "cpu/im2col: does not prefer",
      "cpu/winograd: stride is not 1",
      "cpu/implicit_gemm: does not prefer",
      "onednn: accepts",
      "cpu/depthwise: 1 groups of filters [256, 128, 3, 3]: not one filter a channel",
      "cpu/direct: accepts"};
  EXPECT_EQ(answers_to_forward(problem), shown) << "docs/way_of_a_convolution.svg";
}

/// A convolution of one pixel, whose operands are only spoken of.
struct Unread {
  alignas(16) static inline std::byte somewhere[16];
  Conv2dForward forward;
  Conv2dBackwardData backward_data;
  Conv2dBackwardWeight backward_weight;

  Unread(DType dtype, int64_t K, int64_t C, int64_t groups = 1) {
    const auto view = [&](const Shape& shape) {
      return View::dense(somewhere, dtype, shape, Layout::nhwc);
    };
    const View x = view({1, C, 1, 1}), w = view({K, C / groups, 1, 1}), y = view({1, K, 1, 1});
    const Conv2dParams params{.groups = groups};
    forward = {x, w, y, params, {}};
    backward_data = {y, w, x, params};
    backward_weight = {y, x, w, params};
  }
};

TEST(Conv2d, CudaTakesMoreChannelsAndGroupsThanAGridHasBlocks) {
  if (registry().device(DeviceKind::emulator) == nullptr) {
    GTEST_SKIP() << why_family_is_missing("emulator");
  }
  const std::unique_ptr<Stream> stream = runtime_of(Device::emulator()).make_stream(0);
  const auto taken = [&](const char* name, const auto& op) { return accepts(name, op, *stream); };
  const int64_t rows = 65535, most = 64 * rows;  // a row of blocks for 64 channels
  for (const char* const name : {"cuda/implicit_gemm", "cuda/tensor_cores", "cuda/warpgroup"}) {
    const bool any = std::string_view(name) == "cuda/implicit_gemm";
    const DType dtype = any ? DType::f32 : DType::bf16;
    EXPECT_EQ(taken(name, Unread(dtype, most, 8).forward), true) << name;
    EXPECT_FALSE(taken(name, Unread(dtype, most + 8, 8).forward)) << name;
    EXPECT_FALSE(taken(name, Unread(dtype, 8, most + 8).backward_data)) << name;
    EXPECT_FALSE(taken(name, Unread(dtype, 72, most + 8).backward_weight)) << name;
  }
  for (const Unread& wide : {Unread(DType::f32, most + 8, 8), Unread(DType::f32, 8, most + 8),
                             Unread(DType::f32, rows + 1, rows + 1, rows + 1)}) {
    EXPECT_NO_THROW(choose(wide.forward, Context{*stream}));
    EXPECT_NO_THROW(choose(wide.backward_data, Context{*stream}));
    EXPECT_NO_THROW(choose(wide.backward_weight, Context{*stream}));
  }
}

TEST(Conv2d, LeavesOutTapsThatOnlyMeetPadding) {
  const std::unique_ptr<Stream> stream = runtime_of(Device::cpu()).make_stream(0);
  const Context context{*stream};
  Problem pixel({4, 8, 1, 1}, {8, 8, 3, 3}, {.pad_h = 1, .pad_w = 1});
  EXPECT_EQ(choose(pixel.forward(), context).name, "cpu/im2col");
  EXPECT_EQ(choose(pixel.backward_data(), context).name, "cpu/im2col");
  EXPECT_EQ(choose(pixel.backward_weight(), context).name, "cpu/im2col");
}

// -- wrong kernels the cases must catch -----------------------------------------------------------

/// The definition with its sums kept in bf16.
void accumulate_in_bf16(const Conv2dForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const Conv2dParams& p = op.params;
  const int64_t group_k = op.w.dim(0) / p.groups, taps = op.w.dim(2) * op.w.dim(3);
  const Strides &xs = op.x.strides, &ws = op.w.strides;
  for (int64_t i = 0; i < op.y.numel(); ++i) {
    const Dims at = checks::coordinates_of(i, op.y.shape);
    bfloat16 sum(0.0f);
    for (int64_t j = 0; j < op.w.dim(1) * taps; ++j) {
      const int64_t c = j / taps, r = j % taps / op.w.dim(3), s = j % op.w.dim(3);
      const int64_t h = at[2] * p.stride_h - p.pad_h + r * p.dilation_h;
      const int64_t v = at[3] * p.stride_w - p.pad_w + s * p.dilation_w;
      if (h < 0 || h >= op.x.dim(2) || v < 0 || v >= op.x.dim(3)) continue;
      const int64_t channel = at[1] / group_k * op.w.dim(1) + c;
      const double x = checks::read_element(
          op.x.data, op.x.dtype, at[0] * xs[0] + channel * xs[1] + h * xs[2] + v * xs[3]);
      const double w = checks::read_element(op.w.data, op.w.dtype,
                                            at[1] * ws[0] + c * ws[1] + r * ws[2] + s * ws[3]);
      sum = bfloat16(static_cast<float>(sum) + static_cast<float>(x * w));
    }
    checks::write_element(op.y.data, op.y.dtype, checks::offset_of(i, op.y.shape, op.y.strides),
                          static_cast<double>(static_cast<float>(sum)));
  }
}

/// Runs the right kernel.
void run_right(const Conv2dForward& op, Stream& stream) {
  const ImplGuard guard("conv2d=cpu/direct");
  run(op, stream);
}

/// Leaves out the output channels behind the last whole vector of four.
void forget_the_tail(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  Conv2dForward cut = op;
  const int64_t whole = op.w.dim(0) / op.params.groups / 4 * 4;
  if (op.params.groups != 1 || whole == 0) return run_right(op, stream);
  cut.w.shape[0] = whole;
  cut.y.shape[1] = whole;
  run_right(cut, stream);
}

void swap_strides(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  Conv2dForward wrong = op;
  std::swap(wrong.params.stride_h, wrong.params.stride_w);
  run_right(wrong, stream);
}

TEST(Conv2d, CasesCatchWrongKernels) {
  const Implementation<Conv2dForward> right{
      .name = "right", .run = [](const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
        Conv2dForward plain = op;
        plain.epilogue = {};
        run_right(plain, stream);
      }};
  EXPECT_EQ(cases_that_catch(right), 0);
  EXPECT_GT(cases_that_catch<Conv2dForward>({.name = "planted", .run = accumulate_in_bf16}), 10);
  EXPECT_GT(cases_that_catch<Conv2dForward>({.name = "planted", .run = forget_the_tail}), 5);
  EXPECT_GT(cases_that_catch<Conv2dForward>({.name = "planted", .run = swap_strides}), 0);
}

}  // namespace
}  // namespace burin
