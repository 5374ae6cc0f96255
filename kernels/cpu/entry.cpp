// The cpu family built for a higher x86-64 level than the core library, as a plug-in that replaces
// it.
#include "burin/kernels/plugin.h"

namespace burin {
void register_cpu(Registry& registry);  // generated
}

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "cpu", nullptr, burin::register_cpu};
}
