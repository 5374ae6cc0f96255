#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "burin/kernels/device_runtime.h"
#include "burin/kernels/op.h"

namespace burin {

/// All implementations of all ops, and the devices. Filled once, when it is first asked for: by the
/// built-in `cpu` family, then by each plug-in that loads. Read-only and shared by threads
/// afterwards.
///
/// Keyed by the op's name and the kind of device, not by C++ types, whose identity is not shared
/// between shared libraries.
class Registry {
 public:
  struct Entry {
    std::string name;
    int place = 0;
    bool only_when_named = false;  // a user's plug-in, or one with a caveat
    std::shared_ptr<const void> implementation;
    std::string caveat;
  };

  template <class Op>
  void add(const Implementation<Op>& implementation, DeviceKind device = DeviceKind::cpu) {
    add_entry(Op::name, device,
              {std::string(implementation.name), implementation.place, false,
               std::make_shared<const Implementation<Op>>(implementation),
               std::string(implementation.caveat)});
  }

  /// Makes a kind of device usable. The first runtime of a kind stays.
  void add_device(DeviceKind kind, std::shared_ptr<DeviceRuntime> runtime);

  /// The implementations of `op` on `device`, in the order they are tried.
  const std::vector<Entry>& entries(std::string_view op, DeviceKind device) const;

  /// Every (op, device) that has an implementation, sorted by op.
  std::vector<std::pair<std::string, DeviceKind>> ops() const;

  /// The runtime of a kind of device, or null.
  DeviceRuntime* device(DeviceKind kind) const;

  /// While true, what is added runs only when named. Used while a user's plug-in is loaded.
  void set_only_when_named(bool value) { only_when_named_ = value; }

 private:
  void add_entry(std::string_view op, DeviceKind device, Entry entry);

  std::map<std::pair<std::string, DeviceKind>, std::vector<Entry>, std::less<>> entries_;
  std::map<DeviceKind, std::shared_ptr<DeviceRuntime>> devices_;
  bool only_when_named_ = false;
};

/// The process's registry; the first call loads the families (see plugin.h).
const Registry& registry();

/// The family part of an implementation's name: "cpu" of "cpu/direct".
std::string_view family_of(std::string_view implementation);

}  // namespace burin
