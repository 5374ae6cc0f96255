// A plug-in as one finds it after an upgrade: built against other contracts.
#include "burin/kernels/plugin.h"

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, "0123456789abcdef", "other_contracts", nullptr, nullptr};
}
