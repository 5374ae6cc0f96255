#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "burin/tensor/tensor.h"

namespace burin::nn {

struct Module;
class WeightCopy;

/// Walks a module and its children. `path` is the state-dict name so far: "layer1.0.bn1.weight".
/// Saving, loading, moving and counting are all visitors.
class Visitor {
 public:
  virtual ~Visitor();

  /// A trained tensor of the module being visited, and the copy of it in 16 bits, if it has one.
  void parameter(std::string_view name, Tensor& tensor,
                 const std::shared_ptr<WeightCopy>& copy = nullptr);
  /// A tensor that is saved but not trained (running statistics).
  void buffer(std::string_view name, Tensor& tensor);
  /// A part with names of its own, below `name`.
  void child(std::string_view name, Module& module);
  template <class M>
  void children(std::string_view name, std::vector<std::unique_ptr<M>>& modules) {
    for (size_t i = 0; i < modules.size(); ++i) {
      child(std::string(name) + '.' + std::to_string(i), *modules[i]);
    }
  }

 protected:
  virtual void on_parameter(const std::string& /*path*/, Tensor& /*tensor*/) {}
  /// After on_parameter.
  virtual void on_copy(const std::shared_ptr<WeightCopy>& /*copy*/) {}
  virtual void on_buffer(const std::string& /*path*/, Tensor& /*tensor*/) {}
  /// Before the module's own members are visited.
  virtual void on_module(const std::string& /*path*/, Module& /*module*/) {}

 private:
  friend void walk(Module& module, Visitor& visitor);
  std::string path_of(std::string_view name) const;
  std::string path_;
};

/// A part of a network: a plain struct that holds its parts by value and names them in visit(), in
/// torch's order and with torch's names. Copying is deleted (it would share storage): build another
/// alike and fill it with load_state(other, state(module)).
struct Module {
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module();

  virtual void visit(Visitor& visitor) = 0;
  /// "Conv2d(3, 64, kernel 7x7, stride 2, pad 3)", for printing.
  virtual std::string describe() const = 0;

  bool training = true;  // batch norm and dropout behave differently in evaluation
};

/// Visits `module` and everything below it, its own members first.
void walk(Module& module, Visitor& visitor);

struct NamedTensor {
  std::string name;
  Tensor tensor;
  std::shared_ptr<WeightCopy> copy = nullptr;  // nn/cast_weight.h, of some parameters
};

/// Handles (not copies) in visiting order.
std::vector<NamedTensor> parameters(Module& module);
std::vector<NamedTensor> buffers(Module& module);
/// Parameters and buffers as torch's state_dict() orders them.
std::vector<NamedTensor> state(Module& module);

int64_t parameter_count(Module& module);

/// Switches all parts to training or evaluation.
void set_training(Module& module, bool training);
/// Every part and its mode.
std::vector<std::pair<Module*, bool>> training_modes(Module& module);
/// Puts all parts in evaluation mode while it lives, then each back as it was.
class EvaluationGuard {
 public:
  explicit EvaluationGuard(Module& module) : modes_(training_modes(module)) {
    set_training(module, false);
  }
  ~EvaluationGuard() {
    for (const auto& [module, training] : modes_) module->training = training;
  }
  EvaluationGuard(const EvaluationGuard&) = delete;
  EvaluationGuard& operator=(const EvaluationGuard&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> modes_;
};
/// Moves every tensor; 4-dimensional parameters are put in `layout`. Gradients are dropped.
void to(Module& module, Device device, Layout layout);
/// Forgets all gradients, as torch's zero_grad(set_to_none=True).
void zero_grad(Module& module);
/// Switches gradients of all parameters on or off.
void set_requires_grad(Module& module, bool value);
/// The tree of parts, one a line, with the number of parameters.
std::string to_string(Module& module);

}  // namespace burin::nn
