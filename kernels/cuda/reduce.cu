// Reductions, handwritten. `--impl reduce=cuda/<name>` runs one.
//   naive   one thread per result walks over all that goes into it, compensated
//   block   one block per result: thread t takes elements t, t + threads, …
//   split   a result's elements are shared by up to 256 blocks, joined by a second launch: for few
//           results of many elements (a loss, a gradient's norm)
// The order of additions depends on the shapes only: no atomics.
#include "burin/kernels/reduce.h"

#include <algorithm>

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/loop_nest.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

/// A running result: the larger value, or a compensated sum.
struct Accumulator {
  ReduceKind kind;
  CompensatedSum sum;
  float top = -INFINITY;

  __device__ explicit Accumulator(ReduceKind reduce_kind) : kind(reduce_kind) {}
  __device__ void take(float value) {
    if (kind == ReduceKind::max) {
      top = larger(top, value);
    } else {
      sum.add(kind == ReduceKind::sum_of_squares ? value * value : value);
    }
  }
  __device__ double value() const {
    return kind == ReduceKind::max ? static_cast<double>(top) : sum.total();
  }
};

/// What goes where: the results with their offsets in y and x, and what each is made of.
struct Plan {
  LoopNest<2> kept;     // offsets in y and in x
  LoopNest<1> reduced;  // offsets in x
  ReduceKind kind;
  double divisor;  // of a mean, else 1
};

template <class T, class Y>
__global__ void reduce_naive(const T* x, Y* y, Plan plan) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= plan.kept.numel) return;
  const Offsets<2> at = plan.kept.offsets(i);
  Accumulator result(plan.kind);
  for (int64_t k = 0; k < plan.reduced.numel; ++k) {
    result.take(float(x[at.at[1] + plan.reduced.offsets(k).at[0]]));
  }
  y[at.at[0]] = Y(static_cast<float>(result.value() / plan.divisor));
}

/// The block's share of result `i`: elements [begin, end). Every thread gets it.
template <class T>
__device__ double reduce_in_block(const T* x, const Plan& plan, int64_t begin, int64_t end) {
  Accumulator mine(plan.kind);
  for (int64_t k = begin + threadIdx.x; k < end; k += blockDim.x) {
    mine.take(float(x[plan.reduced.offsets(k).at[0]]));
  }
  return plan.kind == ReduceKind::max ? static_cast<double>(block_max(mine.top))
                                      : block_sum(mine.sum.total());
}

template <class T, class Y>
__global__ void reduce_block(const T* x, Y* y, Plan plan) {
  const Offsets<2> at = plan.kept.offsets(blockIdx.x);
  const double value = reduce_in_block(x + at.at[1], plan, 0, plan.reduced.numel);
  if (threadIdx.x == 0) y[at.at[0]] = Y(static_cast<float>(value / plan.divisor));
}

/// Variant `split`, first launch: block (i, part) → parts[i, part].
template <class T>
__global__ void reduce_parts(const T* x, double* parts, Plan plan) {
  const Offsets<2> at = plan.kept.offsets(blockIdx.x);
  const int64_t length = plan.reduced.numel;
  const double value = reduce_in_block(x + at.at[1], plan, length * blockIdx.y / gridDim.y,
                                       length * (blockIdx.y + 1) / gridDim.y);
  if (threadIdx.x == 0) parts[int64_t(blockIdx.x) * gridDim.y + blockIdx.y] = value;
}

/// Second launch: one warp per result.
template <class Y>
__global__ void reduce_join(const double* parts, Y* y, int count, Plan plan) {
  const bool is_max = plan.kind == ReduceKind::max;
  float top = -INFINITY;
  double sum = 0;
  for (int part = threadIdx.x; part < count; part += 32) {
    const double next = parts[int64_t(blockIdx.x) * count + part];
    top = larger(top, static_cast<float>(next));
    sum += next;
  }
  const double value = is_max ? static_cast<double>(warp_max(top)) : warp_sum(sum);
  if (threadIdx.x == 0)
    y[plan.kept.offsets(blockIdx.x).at[0]] = Y(static_cast<float>(value / plan.divisor));
}

Plan plan_of(const Reduce& op) {
  Shape kept = op.x.shape, reduced = op.x.shape;
  for (int i = 0; i < op.x.rank(); ++i) {
    (op.y.dim(i) == op.x.dim(i) ? reduced : kept)[i] = 1;
  }
  Plan plan{make_loop_nest<2>(kept, {&op.y.strides, &op.x.strides}),
            make_loop_nest<1>(reduced, {&op.x.strides}), op.kind, 1};
  if (op.kind == ReduceKind::mean) plan.divisor = static_cast<double>(plan.reduced.numel);
  return plan;
}

Refusal accepts(const Reduce& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  if (op.y.dtype != op.x.dtype && op.y.dtype != DType::f32) {
    return str("y is ", op.y.dtype, ", neither f32 nor the dtype of x, ", op.x.dtype);
  }
  const auto message = [&] { return str("x ", op.x.shape, " does not reduce to y ", op.y.shape); };
  if (op.x.rank() != op.y.rank()) return message();
  for (int i = 0; i < op.x.rank(); ++i) {
    if (op.y.dim(i) != 1 && op.y.dim(i) != op.x.dim(i)) return message();
  }
  return "";
}

/// Parts of a result in `split`: each has a few elements for every thread.
int64_t parts_of(const Plan& plan) {
  return std::clamp<int64_t>(plan.reduced.numel / (threads * 8), 1, 256);
}

Refusal accepts_block(const Reduce& op, const Context& context) {
  if (Refusal refusal = accepts(op, context); !refusal.empty()) return refusal;
  return plan_of(op).reduced.numel >= 32 ? "" : "fewer elements a result than a warp has lanes";
}
Refusal accepts_split(const Reduce& op, const Context& context) {
  if (Refusal refusal = accepts(op, context); !refusal.empty()) return refusal;
  return parts_of(plan_of(op)) > 1 ? "" : "too few elements a result to share them";
}
/// Where results alone do not fill the GPU.
bool prefers_split(const Reduce& op, const Context& /*context*/) {
  return plan_of(op).kept.numel <= 256;
}

size_t split_workspace(const Reduce& op, const Context& /*context*/) {
  const Plan plan = plan_of(op);
  return Workspace::room_for<double>(static_cast<size_t>(plan.kept.numel * parts_of(plan)));
}

/// Calls f with the types of an element of x and y.
template <class F>
void visit_both(const Reduce& op, const F& f) {
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (op.y.dtype == DType::f32) {
      f(tag, TypeTag<float>{});
    } else {
      f(tag, TypeTag<T>{});
    }
  });
}

void run_naive(const Reduce& op, Workspace /*workspace*/, Stream& stream) {
  const Plan plan = plan_of(op);
  visit_both(op, [&](auto x_tag, auto y_tag) {
    using T = typename decltype(x_tag)::type;
    using Y = typename decltype(y_tag)::type;
    launch(reduce_naive<T, Y>, {blocks_for(plan.kept.numel, threads), threads, 0, stream},
           op.x.as<T>(), op.y.as<Y>(), plan);
  });
}

void run_block(const Reduce& op, Workspace /*workspace*/, Stream& stream) {
  const Plan plan = plan_of(op);
  const auto block = static_cast<unsigned>(block_threads(plan.reduced.numel, 256));
  visit_both(op, [&](auto x_tag, auto y_tag) {
    using T = typename decltype(x_tag)::type;
    using Y = typename decltype(y_tag)::type;
    launch(reduce_block<T, Y>, {blocks_for(plan.kept.numel, 1), block, 0, stream}, op.x.as<T>(),
           op.y.as<Y>(), plan);
  });
}

void run_split(const Reduce& op, Workspace workspace, Stream& stream) {
  const Plan plan = plan_of(op);
  const int64_t parts = parts_of(plan);
  double* const partial = workspace.take<double>(static_cast<size_t>(plan.kept.numel * parts));
  const dim3 results = blocks_for(plan.kept.numel, 1);
  visit_both(op, [&](auto x_tag, auto y_tag) {
    using T = typename decltype(x_tag)::type;
    using Y = typename decltype(y_tag)::type;
    launch(reduce_parts<T>, {dim3(results.x, static_cast<unsigned>(parts)), threads, 0, stream},
           op.x.as<T>(), partial, plan);
    launch(reduce_join<Y>, {results, 32, 0, stream}, partial, op.y.as<Y>(), static_cast<int>(parts),
           plan);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_reduce(Registry& registry) {
  using namespace cuda;
  add<Reduce>(registry, {.name = "cuda/split",
                         .accepts = accepts_split,
                         .prefers = prefers_split,
                         .workspace_bytes = split_workspace,
                         .run = run_split});
  add<Reduce>(registry, {.name = "cuda/block", .accepts = accepts_block, .run = run_block});
  add<Reduce>(registry,
              {.name = "cuda/naive", .place = place::plain, .accepts = accepts, .run = run_naive});
}

}  // namespace burin
