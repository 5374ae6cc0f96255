#include "burin/tensor/ops/batch_norm.h"

#include "burin/kernels/batch_norm.h"
#include "burin/kernels/batch_norm_max_pool.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/views.h"

namespace burin {
namespace {

void check_batch_norm(const Tensor& x, const BatchNormState& state,
                      const BatchNormEpilogue& epilogue) {
  check(x.rank() == 4 || x.rank() == 2, "batch_norm: input ", x.shape(),
        " must be [N, C, H, W] or [N, C]");
  const Shape channels = {x.dim(1)};
  check(state.weight.shape() == channels && state.bias.shape() == channels &&
            state.running_mean.shape() == channels && state.running_variance.shape() == channels,
        "batch_norm: weight ", state.weight.shape(), " is for ", numel(state.weight.shape()),
        " channels, input ", x.shape(), " has ", x.dim(1));
  check_f32_lists("batch_norm", {{"weight", state.weight},
                                 {"bias", state.bias},
                                 {"running_mean", state.running_mean},
                                 {"running_variance", state.running_variance}});
  const Tensor& count = state.num_batches_tracked;
  check(!count.defined() || (count.rank() == 0 && count.dtype() == DType::i64),
        "batch_norm: num_batches_tracked must be i64 []");
  check(!epilogue.residual.defined() || epilogue.residual.shape() == x.shape(),
        "batch_norm: residual ", epilogue.residual.defined() ? epilogue.residual.shape() : Shape(),
        " differs from the input ", x.shape());
  check_same_device("batch_norm", {{"x", x},
                                   {"weight", state.weight},
                                   {"bias", state.bias},
                                   {"running_mean", state.running_mean},
                                   {"running_variance", state.running_variance},
                                   {"num_batches_tracked", state.num_batches_tracked},
                                   {"residual", epilogue.residual}});
}

void check_training(const Tensor& x, const BatchNormState& state,
                    const BatchNormEpilogue& epilogue) {
  check_batch_norm(x, state, epilogue);
  check(x.numel() > x.dim(1),
        "batch_norm: expected more than 1 value per channel when training, got "
        "input ",
        x.shape());
}

View writable_or_absent(Tensor& x) {
  return x.defined() ? x.writable() : View();
}

Tensor empty_mask(const Tensor& x) {
  return empty({(x.numel() + 7) / 8}, {DType::u8, x.device()});
}

/// What backward needs, whichever statistics forward used.
struct SavedForBackward {
  Saved x, weight, mean, inverse_std, mask;
  bool batch_statistics;
};

void backward(const SavedForBackward& saved, const Tensor& dy, Gradients& grads) {
  const Tensor& x = saved.x.get();
  const Shape channels = {x.dim(1)};
  Tensor dx = empty_like(x);
  Tensor dweight = empty(channels, {DType::f32, x.device()});
  Tensor dbias = empty(channels, {DType::f32, x.device()});
  const bool relu = static_cast<bool>(saved.mask.view());
  // Without a ReLU the residual's gradient is dy itself.
  Tensor dresidual = grads.wanted(3) && relu ? empty_like(x) : Tensor();
  launch(x.device(), BatchNormBackward{dy.view(), x.view(), saved.weight.view(), saved.mean.view(),
                                       saved.inverse_std.view(), saved.mask.view(), dx.writable(),
                                       writable_or_absent(dresidual), dweight.writable(),
                                       dbias.writable(), saved.batch_statistics});
  if (grads.wanted(0)) grads.set(0, dx);
  if (grads.wanted(1)) grads.set(1, dweight);
  if (grads.wanted(2)) grads.set(2, dbias);
  if (grads.wanted(3)) grads.set(3, relu ? dresidual : dy);
}

struct SavedChoice {
  Saved x, weight, mean, inverse_std, index, chosen;
  Pool2dParams params;
};

void backward(const SavedChoice& saved, const Tensor& dy, Gradients& grads) {
  const Tensor& x = saved.x.get();
  Tensor dx = empty_like(x);
  Tensor dweight = empty({x.dim(1)}, {DType::f32, x.device()});
  Tensor dbias = empty({x.dim(1)}, {DType::f32, x.device()});
  launch(x.device(), BatchNormMaxPoolBackward{dy.view(), saved.index.view(), saved.chosen.view(),
                                              x.view(), saved.weight.view(), saved.mean.view(),
                                              saved.inverse_std.view(), dx.writable(),
                                              dweight.writable(), dbias.writable(), saved.params});
  if (grads.wanted(0)) grads.set(0, dx);
  if (grads.wanted(1)) grads.set(1, dweight);
  if (grads.wanted(2)) grads.set(2, dbias);
}

}  // namespace

Tensor batch_norm_train(const Tensor& x, BatchNormState& state, const BatchNormEpilogue& epilogue,
                        float momentum, float epsilon) {
  check_training(x, state, epilogue);
  const TensorOptions statistics = {DType::f32, x.device()};
  const Shape channels = {x.dim(1)};
  Tensor y = empty_like(x);
  Tensor mean = empty(channels, statistics);
  Tensor inverse_std = empty(channels, statistics);
  Tensor mask = epilogue.relu ? empty_mask(x) : Tensor();
  launch(x.device(),
         BatchNormTrain{
             x.view(), state.weight.view(), state.bias.view(), view_or_absent(epilogue.residual),
             y.writable(), mean.writable(), inverse_std.writable(), state.running_mean.writable(),
             state.running_variance.writable(), writable_or_absent(state.num_batches_tracked),
             writable_or_absent(mask), epilogue.relu, momentum, epsilon});
  if (!records({x, state.weight, state.bias, epilogue.residual})) return y;
  return record("batch_norm_train", y, {x, state.weight, state.bias, epilogue.residual},
                [saved = SavedForBackward{save(x), save(state.weight), save(mean),
                                          save(inverse_std), save(mask), true}](
                    const Tensor& dy, Gradients& grads) { backward(saved, dy, grads); });
}

Tensor batch_norm_max_pool_train(const Tensor& x, BatchNormState& state, const Pool2dParams& params,
                                 float momentum, float epsilon) {
  check_training(x, state, {});
  const Shape pooled = pooled_shape("batch_norm_max_pool", x, params);
  check(params.kernel_h * params.kernel_w <= stopped_by_relu, "batch_norm_max_pool: a window of ",
        params.kernel_h, " x ", params.kernel_w, " has more than ", int{stopped_by_relu},
        " elements");
  const TensorOptions statistics = {DType::f32, x.device()};
  Tensor y = empty(pooled, x.options());
  Tensor chosen = empty(pooled, x.options());
  Tensor index = empty(pooled, {DType::u8, x.device(), x.layout()});
  Tensor mean = empty({x.dim(1)}, statistics);
  Tensor inverse_std = empty({x.dim(1)}, statistics);
  launch(x.device(),
         BatchNormMaxPoolTrain{
             x.view(), state.weight.view(), state.bias.view(), y.writable(), index.writable(),
             chosen.writable(), mean.writable(), inverse_std.writable(),
             state.running_mean.writable(), state.running_variance.writable(),
             writable_or_absent(state.num_batches_tracked), params, momentum, epsilon});
  return record("batch_norm_max_pool_train", y, {x, state.weight, state.bias},
                [saved = SavedChoice{save(x), save(state.weight), save(mean), save(inverse_std),
                                     save(index), save(chosen), params}](
                    const Tensor& dy, Gradients& grads) { backward(saved, dy, grads); });
}

Tensor batch_norm_inference(const Tensor& x, const BatchNormState& state,
                            const BatchNormEpilogue& epilogue, float epsilon) {
  check_batch_norm(x, state, epilogue);
  const bool recorded = records({x, state.weight, state.bias, epilogue.residual});
  Tensor y = empty_like(x);
  Tensor mask = epilogue.relu && recorded ? empty_mask(x) : Tensor();
  launch(x.device(), BatchNormInference{x.view(), state.weight.view(), state.bias.view(),
                                        state.running_mean.view(), state.running_variance.view(),
                                        view_or_absent(epilogue.residual), y.writable(),
                                        writable_or_absent(mask), epilogue.relu, epsilon});
  if (!recorded) return y;
  Tensor inverse_std;
  {
    const NoGradGuard no_grad;
    inverse_std = reciprocal(sqrt(affine(state.running_variance, 1, epsilon)));
  }
  // The running mean may move before backward comes (training goes on): keep it as it is now.
  Tensor mean = empty_like(state.running_mean);
  copy_into(mean, state.running_mean);
  return record("batch_norm_inference", y, {x, state.weight, state.bias, epilogue.residual},
                [saved = SavedForBackward{save(x), save(state.weight), save(mean),
                                          save(inverse_std), save(mask), false}](
                    const Tensor& dy, Gradients& grads) { backward(saved, dy, grads); });
}

}  // namespace burin
