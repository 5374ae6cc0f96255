// oneDNN as a family of implementations.
#include "burin/kernels/onednn/support/dnnl.h"
#include "burin/kernels/plugin.h"

namespace burin {
void register_onednn(Registry& registry);  // generated
}

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "onednn", burin::onednn::why_unavailable,
          burin::register_onednn};
}
