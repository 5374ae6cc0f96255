#include "burin/tensor/autograd.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "burin/kernels/elementwise.h"
#include "burin/kernels/range.h"
#include "burin/tensor/context.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {

/// What made a tensor; or, without a function, the place where a leaf's gradient is collected.
struct Node {
  std::string_view name;
  std::vector<std::shared_ptr<Node>> inputs;  // null where no gradient is wanted
  BackwardFunction backward;
  Shape shape;
  Strides strides;
  DType dtype = DType::f32;
  std::weak_ptr<Tensor> leaf_gradient;  // of a leaf: where the result goes
  uint64_t sequence = 0;                // a node is younger than its inputs

  ~Node();
};

/// The one door from the graph to a tensor's place in it.
struct GraphAccess {
  static std::shared_ptr<Node>& node(const Tensor& x) { return x.impl_->node; }
  static std::shared_ptr<Tensor>& gradient(const Tensor& x) { return x.impl_->gradient; }
  static bool& leaf_wants_grad(const Tensor& x) { return x.impl_->leaf_wants_grad; }
  static bool owned_alone(const Tensor& x) {
    return x.impl_.use_count() == 1 && x.impl_->storage.use_count() == 1;
  }
};

namespace {

using NodePointer = std::shared_ptr<Node>;

uint64_t next_sequence() {
  static std::atomic<uint64_t> sequence{0};
  return ++sequence;
}

/// sum + more; into sum's memory if nobody else looks at it.
// NOLINTNEXTLINE(performance-unnecessary-value-param): what is moved in, nobody else looks at
Tensor accumulate(Tensor sum, const Tensor& more) {
  if (!sum.defined()) return more;
  if (sum.dtype() != more.dtype()) {  // a weight's gradient, in f32, and another
    return accumulate(cast(sum, DType::f32), cast(more, DType::f32));
  }
  Tensor result = GraphAccess::owned_alone(sum) ? sum : empty_like(sum);
  launch(sum.device(),
         ElementwiseBinary{sum.view(), more.view(), result.writable(), BinaryKind::add});
  return result;
}

bool lies_in(const Node& node, Layout layout) {
  return is_dense(node.shape, node.strides, layout);
}

bool lie_alike(const Node& node, const Tensor& gradient) {
  const BasicView<const void*> of_node{nullptr, node.dtype, node.shape, node.strides, {}};
  return same_dense_order(of_node, gradient.view());
}

Tensor copied(const Node& node, const Tensor& gradient, DType dtype) {
  const Layout layout = lies_in(node, Layout::nhwc) ? Layout::nhwc : Layout::nchw;
  Tensor result = empty(node.shape, {dtype, gradient.device(), layout});
  copy_into(result, gradient);
  return result;
}

/// Whether the node's backward takes a gradient of this dtype: its own, or, of a cast, its input's,
/// which is on its way to a master weight and not to be rounded.
bool takes(const Node& node, DType dtype) {
  const bool is_cast = node.inputs.size() == 1 && node.inputs[0] && node.inputs[0]->dtype == dtype;
  return dtype == node.dtype || is_cast;
}

/// The gradient as kernels want it, which walk it and what forward saved as flat memory of one
/// dtype. Other users of a tensor leave its gradient in their own order, stretched, or in f32. (A
/// result that is a view with gaps is no kernel's.)
Tensor in_form_of_result(const Node& node, const Tensor& gradient) {
  const bool dense = lies_in(node, Layout::nchw) || lies_in(node, Layout::nhwc);
  const bool taken = takes(node, gradient.dtype());
  if (taken && (!dense || lie_alike(node, gradient))) return gradient;
  return copied(node, gradient, taken ? gradient.dtype() : node.dtype);
}

/// The gradient for a leaf to keep: for optimisers in its order and dtype, and nobody else's, so
/// that it may be changed in place.
Tensor in_form_of_leaf(const Node& leaf, const Tensor& gradient) {
  const bool fits = lie_alike(leaf, gradient) && gradient.dtype() == leaf.dtype &&
                    GraphAccess::owned_alone(gradient);
  return fits ? gradient : copied(leaf, gradient, leaf.dtype);
}

/// All nodes that `root` depends on, youngest first, found without recursion.
std::vector<NodePointer> reachable(const NodePointer& root) {
  std::vector<NodePointer> order = {root};
  std::unordered_set<const Node*> seen = {root.get()};
  for (size_t i = 0; i < order.size(); ++i) {
    const std::vector<NodePointer> inputs = order[i]->inputs;
    for (const NodePointer& input : inputs) {
      if (input && seen.insert(input.get()).second) order.push_back(input);
    }
  }
  std::sort(order.begin(), order.end(),
            [](const NodePointer& a, const NodePointer& b) { return a->sequence > b->sequence; });
  return order;
}

bool wants_grad(const Tensor& x) {
  return x.defined() && GraphAccess::node(x) != nullptr;
}

Tensor record_inputs(std::string_view name, Tensor y, const Tensor* begin, const Tensor* end,
                     BackwardFunction backward) {
  if (!grad_enabled() || std::none_of(begin, end, wants_grad)) return y;
  auto node = std::make_shared<Node>();
  node->name = name;
  for (const Tensor* x = begin; x != end; ++x) {
    node->inputs.push_back(wants_grad(*x) ? GraphAccess::node(*x) : nullptr);
  }
  node->backward = std::move(backward);
  node->shape = y.shape();
  node->strides = y.strides();
  node->dtype = y.dtype();
  node->sequence = next_sequence();
  GraphAccess::node(y) = std::move(node);
  return y;
}

}  // namespace

/// Takes the chain behind it apart in a loop; the default would recurse once per node.
Node::~Node() {
  std::vector<NodePointer> pending = std::move(inputs);
  while (!pending.empty()) {
    const NodePointer node = std::move(pending.back());
    pending.pop_back();
    if (node && node.use_count() == 1) {
      std::move(node->inputs.begin(), node->inputs.end(), std::back_inserter(pending));
      node->inputs.clear();
    }
  }
}

bool Gradients::wanted(int i) const {
  return node_.inputs[static_cast<size_t>(i)] != nullptr;
}

void Gradients::set(int i, const Tensor& gradient) {
  if (Tensor* const sum = sum_of(i, gradient)) *sum = accumulate(std::move(*sum), gradient);
}

const Tensor& Gradients::so_far(int i) const {
  static const Tensor none;
  const auto found = sums_.find(node_.inputs[static_cast<size_t>(i)].get());
  return found == sums_.end() ? none : found->second;
}

void Gradients::set_sum(int i, Tensor sum) {
  if (Tensor* const so_far = sum_of(i, sum)) *so_far = std::move(sum);
}

/// What comes of a result without elements.
void Gradients::set_zeros(Device device) {
  for (size_t i = 0; i < node_.inputs.size(); ++i) {
    const NodePointer& input = node_.inputs[i];
    if (input) set(static_cast<int>(i), zeros(input->shape, {input->dtype, device}));
  }
}

/// Where the gradient of input i is collected; null if none is wanted.
Tensor* Gradients::sum_of(int i, const Tensor& gradient) {
  const NodePointer& input = node_.inputs[static_cast<size_t>(i)];
  if (!input) return nullptr;
  check(gradient.shape() == input->shape, node_.name, ": backward made a gradient of shape ",
        gradient.shape(), " for an input of shape ", input->shape);
  return &sums_[input.get()];
}

const Tensor& Saved::get() const {
  check(value_.storage()->version() == version_, "backward: a tensor ", value_.dtype(), ' ',
        value_.shape(), " was changed in place after it was recorded");
  return value_;
}

Tensor record(std::string_view name, Tensor y, std::initializer_list<Tensor> inputs,
              BackwardFunction backward) {
  return record_inputs(name, std::move(y), inputs.begin(), inputs.end(), std::move(backward));
}

Tensor record(std::string_view name, Tensor y, const std::vector<Tensor>& inputs,
              BackwardFunction backward) {
  return record_inputs(name, std::move(y), inputs.data(), inputs.data() + inputs.size(),
                       std::move(backward));
}

bool records(std::initializer_list<Tensor> inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(), wants_grad);
}

void check_no_gradient(std::string_view op, std::initializer_list<Tensor> inputs) {
  check(!records(inputs), op, ": is not differentiable, and a gradient would be wanted; detach() ",
        "the tensor, or use a NoGradGuard");
}

Tensor& Tensor::set_requires_grad(bool value) {
  check(impl().leaf_wants_grad || impl().node == nullptr,
        "set_requires_grad: this tensor is a result; only a leaf can be told");
  check(!value || is_floating(dtype()), "set_requires_grad: a tensor of ", dtype(),
        " has no gradient");
  impl_->leaf_wants_grad = value;
  impl_->node = nullptr;
  if (value) {
    if (!impl_->gradient) impl_->gradient = std::make_shared<Tensor>();
    impl_->node = std::make_shared<Node>();
    impl_->node->name = "leaf";
    impl_->node->shape = shape();
    impl_->node->strides = strides();
    impl_->node->dtype = dtype();
    impl_->node->leaf_gradient = impl_->gradient;
  }
  return *this;
}

bool Tensor::requires_grad() const {
  return impl().node != nullptr;
}

const Tensor& Tensor::grad() const {
  static const Tensor none;
  return impl().gradient ? *impl().gradient : none;
}

void Tensor::set_grad(Tensor grad) {
  check(!grad.defined() || grad.shape() == shape(), "set_grad: gradient of another shape");
  check_same_device("set_grad", {{"the tensor", *this}, {"its gradient", grad}});
  if (!impl().gradient) impl_->gradient = std::make_shared<Tensor>();
  *impl_->gradient = std::move(grad);
}

void backward(const Tensor& loss, const Tensor& seed) {
  check(loss.requires_grad(), "backward: nothing that wants a gradient leads to this tensor");
  check(seed.defined() || loss.numel() == 1, "backward: the tensor has shape ", loss.shape(),
        ", not one element; give its gradient");
  check_same_device("backward", {{"the tensor", loss}, {"its gradient", seed}});
  const NoGradGuard no_grad;
  const Range range(loss.device(), "backward");
  Gradients::Sums gradients;
  std::vector<NodePointer> order = reachable(GraphAccess::node(loss));
  gradients[order.front().get()] = seed.defined() ? seed : full(loss.shape(), 1, loss.options());
  for (NodePointer& node : order) {
    Tensor dy = std::move(gradients[node.get()]);
    gradients.erase(node.get());
    if (!node->backward) {
      if (const auto target = node->leaf_gradient.lock(); target && dy.defined()) {
        const Tensor more = in_form_of_leaf(*node, dy);
        *target = target->defined() ? accumulate(*target, more) : more;
      }
      node.reset();
      continue;
    }
    if (dy.defined()) {
      Gradients inputs(*node, gradients);
      if (dy.numel() == 0) {
        inputs.set_zeros(dy.device());
      } else {
        node->backward(in_form_of_result(*node, dy), inputs);
      }
    }
    // Freed as we go: what this node saved is not needed any more. A second backward() finds
    // nothing.
    node->backward = [](const Tensor&, Gradients&) {
      fail("backward: this graph was used already; compute the loss again");
    };
    node.reset();
  }
}

void print_graph(std::ostream& out, const Tensor& y) {
  if (!y.requires_grad()) {
    out << "(not recorded)\n";
    return;
  }
  const std::vector<NodePointer> order = reachable(GraphAccess::node(y));
  std::unordered_map<const Node*, size_t> number;
  for (size_t i = 0; i < order.size(); ++i) number[order[i].get()] = i;
  for (const NodePointer& node : order) {
    out << '%' << number[node.get()] << " = " << node->name << ' ' << node->dtype << ' '
        << node->shape << " (";
    const char* separator = "";
    for (const NodePointer& input : node->inputs) {
      out << separator;
      separator = ", ";
      if (input) {
        out << '%' << number[input.get()];
      } else {
        out << "constant";
      }
    }
    out << ")\n";
  }
}

}  // namespace burin
