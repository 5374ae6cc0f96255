#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "burin/tensor/tensor.h"

namespace burin {

/// Gradients of one node's inputs, filled in by its backward function.
class Gradients {
 public:
  /// Whether input i wants a gradient; computing another is waste.
  bool wanted(int i) const;
  /// Hands over the gradient of input i: its shape; its dtype or f32.
  void set(int i, const Tensor& gradient);

  /// What other users of input i have brought to its gradient so far; undefined if nothing.
  const Tensor& so_far(int i) const;
  /// Hands over the gradient of input i with so_far(i) added to it already: for a kernel that adds
  /// on its way.
  void set_sum(int i, Tensor sum);

 private:
  friend void backward(const Tensor& loss, const Tensor& seed);
  using Sums = std::unordered_map<const Node*, Tensor>;  // of all users so far
  Gradients(const Node& node, Sums& sums) : node_(node), sums_(sums) {}
  Tensor* sum_of(int i, const Tensor& gradient);
  void set_zeros(Device device);

  const Node& node_;
  Sums& sums_;
};

using BackwardFunction = std::function<void(const Tensor& dy, Gradients& gradients)>;

/// Makes `y` a result of `inputs` in the graph: backward(dy, gradients) is called once with the
/// gradient of y. Does nothing (and drops the closure) when no input wants a gradient or under
/// NoGradGuard. Returns y.
///
/// What the closure captures is what stays in memory until then: capture with save(), which also
/// notices a tensor that was changed in place in the meantime.
Tensor record(std::string_view name, Tensor y, std::initializer_list<Tensor> inputs,
              BackwardFunction backward);
Tensor record(std::string_view name, Tensor y, const std::vector<Tensor>& inputs,
              BackwardFunction backward);

/// True if record() would keep a graph for these inputs: ask before saving anything costly.
bool records(std::initializer_list<Tensor> inputs);

/// For what records nothing: throws Error, naming `op`, where record() would keep a graph for these
/// inputs, and so a gradient would be lost without a word.
void check_no_gradient(std::string_view op, std::initializer_list<Tensor> inputs);

/// A tensor's elements kept for backward, without its place in the graph (an op that keeps its own
/// output would else own itself for ever).
class Saved {
 public:
  explicit Saved(const Tensor& tensor)
      : value_(tensor.defined() ? tensor.detach() : Tensor()),
        version_(tensor.defined() ? tensor.storage()->version() : 0) {}
  /// Throws Error if the storage was written since.
  const Tensor& get() const;
  /// The view, or an absent one.
  ConstView view() const { return value_.defined() ? get().view() : ConstView(); }

 private:
  Tensor value_;
  uint64_t version_;
};
inline Saved save(const Tensor& tensor) {
  return Saved(tensor);
}

/// Computes d loss / d leaf for every leaf that wants it and adds it to the leaf's grad(). The
/// graph is freed on the way, iteratively: a chain of any length neither recurses nor leaks. Throws
/// Error unless `loss` has one element (or `seed`, the gradient of loss, is given).
void backward(const Tensor& loss, const Tensor& seed = {});

/// The graph behind `y` as text, one node a line in reverse order of execution: its name, shape,
/// inputs.
void print_graph(std::ostream& out, const Tensor& y);

}  // namespace burin
