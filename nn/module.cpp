#include "burin/nn/module.h"

#include <algorithm>

#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"

namespace burin::nn {

Visitor::~Visitor() = default;
Module::~Module() = default;

std::string Visitor::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
}

void Visitor::parameter(std::string_view name, Tensor& tensor,
                        const std::shared_ptr<WeightCopy>& copy) {
  if (!tensor.defined()) return;
  on_parameter(path_of(name), tensor);
  if (copy) on_copy(copy);
}

void Visitor::buffer(std::string_view name, Tensor& tensor) {
  if (tensor.defined()) on_buffer(path_of(name), tensor);
}

void Visitor::child(std::string_view name, Module& module) {
  std::string outer = path_;
  path_ = path_of(name);
  on_module(path_, module);
  module.visit(*this);
  path_ = std::move(outer);
}

void walk(Module& module, Visitor& visitor) {
  visitor.on_module(visitor.path_, module);
  module.visit(visitor);
}

namespace {

struct Collector final : Visitor {
  Collector(bool take_parameters, bool take_buffers)
      : with_parameters(take_parameters), with_buffers(take_buffers) {}
  void on_parameter(const std::string& path, Tensor& tensor) override {
    if (with_parameters) found.push_back({path, tensor});
  }
  void on_copy(const std::shared_ptr<WeightCopy>& copy) override {
    if (with_parameters) found.back().copy = copy;
  }
  void on_buffer(const std::string& path, Tensor& tensor) override {
    if (with_buffers) found.push_back({path, tensor});
  }
  bool with_parameters;
  bool with_buffers;
  std::vector<NamedTensor> found;
};

std::vector<NamedTensor> collect(Module& module, bool with_parameters, bool with_buffers) {
  Collector collector(with_parameters, with_buffers);
  walk(module, collector);
  return std::move(collector.found);
}

struct Mover final : Visitor {
  Mover(Device to_device, Layout to_layout) : device(to_device), layout(to_layout) {}
  void on_parameter(const std::string& /*path*/, Tensor& tensor) override {
    const bool wants_grad = tensor.requires_grad();
    const NoGradGuard no_grad;
    Tensor moved = to_device(tensor.detach(), device);
    if (moved.rank() == 4) moved = to_layout(moved, layout);
    tensor = moved;
    tensor.set_requires_grad(wants_grad);
  }
  void on_buffer(const std::string& /*path*/, Tensor& tensor) override {
    tensor = to_device(tensor, device);
  }
  Device device;
  Layout layout;
};

struct TrainingSwitch final : Visitor {
  explicit TrainingSwitch(bool value) : training(value) {}
  void on_module(const std::string& /*path*/, Module& module) override {
    module.training = training;
  }
  bool training;
};

struct ModeCollector final : Visitor {
  void on_module(const std::string& /*path*/, Module& module) override {
    modes.emplace_back(&module, module.training);
  }
  std::vector<std::pair<Module*, bool>> modes;
};

struct TreePrinter final : Visitor {
  void on_module(const std::string& path, Module& module) override {
    const auto depth = path.empty() ? 0 : 1 + std::count(path.begin(), path.end(), '.');
    const std::string name = path.substr(path.find_last_of('.') + 1);
    text += std::string(static_cast<size_t>(2 * depth), ' ') + (name.empty() ? "" : name + ": ") +
            module.describe() + '\n';
  }
  std::string text;
};

}  // namespace

std::vector<NamedTensor> parameters(Module& module) {
  return collect(module, true, false);
}
std::vector<NamedTensor> buffers(Module& module) {
  return collect(module, false, true);
}
std::vector<NamedTensor> state(Module& module) {
  return collect(module, true, true);
}

int64_t parameter_count(Module& module) {
  int64_t count = 0;
  for (const NamedTensor& p : parameters(module)) count += p.tensor.numel();
  return count;
}

void set_training(Module& module, bool training) {
  TrainingSwitch visitor(training);
  walk(module, visitor);
}

std::vector<std::pair<Module*, bool>> training_modes(Module& module) {
  ModeCollector collector;
  walk(module, collector);
  return std::move(collector.modes);
}

void to(Module& module, Device device, Layout layout) {
  Mover visitor(device, layout);
  walk(module, visitor);
}

void zero_grad(Module& module) {
  for (NamedTensor& p : parameters(module)) p.tensor.set_grad({});
}

void set_requires_grad(Module& module, bool value) {
  for (NamedTensor& p : parameters(module)) p.tensor.set_requires_grad(value);
}

std::string to_string(Module& module) {
  TreePrinter printer;
  walk(module, printer);
  return printer.text + str(parameter_count(module), " parameters\n");
}

}  // namespace burin::nn
