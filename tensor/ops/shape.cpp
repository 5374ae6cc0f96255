#include "burin/tensor/ops/shape.h"

#include <algorithm>
#include <vector>

#include "burin/kernels/copy.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/reduce.h"

namespace burin {
namespace {

Shape with_inferred_extent(const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  int inferred = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      check(inferred < 0, "reshape: only one extent can be left open");
      inferred = i;
    } else {
      check(shape[i] >= 0, "reshape: ", wanted, " has a negative extent");
    }
  }
  if (inferred >= 0) {
    shape[inferred] = 1;
    const int64_t known = numel(shape);
    check(known > 0, "reshape: ", wanted, ": beside an extent of 0 any extent would do");
    shape[inferred] = x.numel() / known;
  }
  check(numel(shape) == x.numel(), "reshape: ", x.shape(), " has ", x.numel(), " elements, ", shape,
        " has ", numel(shape));
  return shape;
}

/// A fresh dense tensor with the elements of `view`.
Tensor copied(const ConstView& view, const TensorOptions& options) {
  Tensor y = empty(view.shape, options);
  launch(options.device, Copy{view, y.writable()});
  return y;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
  const Shape shape = with_inferred_extent(x, wanted);
  const Tensor dense = contiguous(x);  // a recorded copy, or x itself
  return record("reshape", dense.alias(shape, contiguous_strides(shape)), {dense},
                [before = x.shape()](const Tensor& dy, Gradients& grads) {
                  const Tensor flat = contiguous(dy);
                  grads.set(0, flat.alias(before, contiguous_strides(before)));
                });
}

Tensor flatten(const Tensor& x) {
  check(x.rank() > 0, "flatten: a scalar is not [N, …]");
  Shape each = x.shape();
  each[0] = 1;
  return reshape(x, {x.dim(0), numel(each)});
}

Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  check(static_cast<int>(order.size()) == x.rank(), "permute: ", order.size(),
        " dimensions named for ", x.shape());
  const std::vector<int> from(order);
  std::vector<bool> seen(from.size(), false);
  Shape shape;
  Strides strides;
  for (const int i : from) {
    check(i >= 0 && i < x.rank() && !seen[static_cast<size_t>(i)], "permute: each dimension of ",
          x.shape(), " must be named once");
    seen[static_cast<size_t>(i)] = true;
    shape.push_back(x.dim(i));
    strides.push_back(x.strides()[i]);
  }
  return record("permute", x.alias(shape, strides), {x},
                [from, options = x.options()](const Tensor& dy, Gradients& grads) {
                  ConstView back = dy.view();
                  for (size_t i = 0; i < from.size(); ++i) {
                    back.shape[from[i]] = dy.dim(static_cast<int>(i));
                    back.strides[from[i]] = dy.strides()[static_cast<int>(i)];
                  }
                  const bool as_it_was = burin::is_dense(back.shape, back.strides, options.layout);
                  grads.set(0,
                            as_it_was ? dy.alias(back.shape, back.strides) : copied(back, options));
                });
}

Tensor to_rows(const Tensor& x) {
  check(x.rank() == 4, "to_rows: ", x.shape(), " is not [N, C, H, W]");
  return contiguous(permute(x, {0, 2, 3, 1}));
}

Tensor from_rows(const Tensor& rows) {
  check(rows.rank() == 4, "from_rows: ", rows.shape(), " is not [N, H, W, C]");
  return permute(rows, {0, 3, 1, 2});
}

Tensor flip(const Tensor& x, int dim) {
  check(dim >= 0 && dim < x.rank(), "flip: ", x.shape(), " has no dimension ", dim);
  if (x.numel() == 0) return x;
  Strides strides = x.strides();
  const int64_t last = (x.dim(dim) - 1) * strides[dim];
  strides[dim] = -strides[dim];
  return record("flip", copied(x.alias(x.shape(), strides, last).view(), x.options()), {x},
                [dim](const Tensor& dy, Gradients& grads) { grads.set(0, flip(dy, dim)); });
}

Tensor transpose(const Tensor& x) {
  check(x.rank() == 2 || x.rank() == 3, "transpose: ", x.shape(),
        " is no matrix and no batch of them");
  return x.rank() == 2 ? permute(x, {1, 0}) : permute(x, {0, 2, 1});
}

Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end) {
  const int i = dim < 0 ? dim + x.rank() : dim;
  check(i >= 0 && i < x.rank() && begin >= 0 && begin <= end && end <= x.dim(i), "slice: [", begin,
        ", ", end, ") along dimension ", dim, " of ", x.shape());
  Shape shape = x.shape();
  shape[i] = end - begin;
  const int64_t offset = begin * x.strides()[i];
  return record(
      "slice", x.alias(shape, x.strides(), offset), {x},
      [before = x.shape(), options = x.options(), i, begin](const Tensor& dy, Gradients& grads) {
        Tensor dx = zeros(before, options);
        Tensor part = dx.alias(dy.shape(), dx.strides(), begin * dx.strides()[i]);
        launch(dy.device(), Copy{dy.view(), part.writable()});
        grads.set(0, dx);
      });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  check(std::all_of(shape.begin(), shape.end(), [](int64_t extent) { return extent >= 0; }) &&
            broadcast_shape(x.shape(), shape) == shape,
        "expand: ", x.shape(), " does not stretch to ", shape);
  numel(shape);  // throws where it can't be counted
  const int added = shape.rank() - x.rank();
  Strides strides = Strides::filled(shape.rank(), 0);
  for (int i = 0; i < x.rank(); ++i) {
    if (x.dim(i) == shape[added + i]) strides[added + i] = x.strides()[i];
  }
  return record("expand", x.alias(shape, strides), {x},
                [before = x.shape()](const Tensor& dy, Gradients& grads) {
                  grads.set(0, sum_to_shape(dy, before));
                });
}

}  // namespace burin
