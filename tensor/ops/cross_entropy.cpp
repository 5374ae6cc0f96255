#include "burin/tensor/ops/cross_entropy.h"

#include "burin/kernels/cross_entropy.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/views.h"

namespace burin {
namespace {

struct Results {
  Tensor loss, sample_loss, log_sum_exp, total_weight;
};

Results forward(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  check(
      logits.rank() == 2 && target.shape() == Shape{logits.dim(0)} && target.dtype() == DType::i64,
      "cross_entropy: logits ", logits.shape(), " must be [N, C] and the target ", target.dtype(),
      ' ', target.shape(), " i64 [N]");
  check(!options.class_weight.defined() || options.class_weight.shape() == Shape{logits.dim(1)},
        "cross_entropy: one class weight for each of the ", logits.dim(1), " classes is needed");
  check(target.is_contiguous(), "cross_entropy: the target ", target.shape(),
        " must be contiguous");
  check_f32_lists("cross_entropy", {{"class_weight", options.class_weight}});
  check(options.label_smoothing >= 0 && options.label_smoothing < 1,
        "cross_entropy: label_smoothing ", options.label_smoothing, " must be in [0, 1)");
  check_same_device(
      "cross_entropy",
      {{"logits", logits}, {"target", target}, {"class_weight", options.class_weight}});
  const TensorOptions f32 = {DType::f32, logits.device()};
  Results r{empty({}, f32), empty({logits.dim(0)}, f32), empty({logits.dim(0)}, f32),
            empty({}, f32)};
  launch(logits.device(),
         CrossEntropyForward{logits.view(), target.view(), view_or_absent(options.class_weight),
                             r.loss.writable(), r.sample_loss.writable(), r.log_sum_exp.writable(),
                             r.total_weight.writable(), options.label_smoothing,
                             options.ignore_index});
  return r;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const Results r = forward(logits, target, options);
  return record("cross_entropy", r.loss, {logits},
                [logits = save(logits), target = save(target), weight = save(options.class_weight),
                 log_sum_exp = save(r.log_sum_exp), total_weight = save(r.total_weight),
                 smoothing = options.label_smoothing,
                 ignore = options.ignore_index](const Tensor& dy, Gradients& grads) {
                  Tensor dlogits = empty_like(logits.get());
                  launch(dy.device(), CrossEntropyBackward{dy.view(), logits.view(), target.view(),
                                                           weight.view(), log_sum_exp.view(),
                                                           total_weight.view(), dlogits.writable(),
                                                           smoothing, ignore});
                  grads.set(0, dlogits);
                });
}

Tensor cross_entropy_per_sample(const Tensor& logits, const Tensor& target,
                                const CrossEntropyOptions& options) {
  check_no_gradient("cross_entropy_per_sample", {logits});
  return forward(logits, target, options).sample_loss;
}

}  // namespace burin
