#pragma once

#include <functional>
#include <string_view>

#include "burin/tensor/tensor.h"

namespace burin::nn {

/// Called with each tapped activation: its name and value. May return another tensor to go on with.
using Observer = std::function<Tensor(std::string_view name, const Tensor& x)>;

/// Names an inner activation in a forward(). Returns x, unless an observer is installed in this
/// thread.
Tensor tap(std::string_view name, const Tensor& x);

/// Installs an observer for this thread while it lives: Grad-CAM, feature caches, per-layer
/// reports.
class ObserverGuard {
 public:
  explicit ObserverGuard(Observer observer);
  ~ObserverGuard();
  ObserverGuard(const ObserverGuard&) = delete;
  ObserverGuard& operator=(const ObserverGuard&) = delete;

 private:
  Observer previous_;
};

}  // namespace burin::nn
