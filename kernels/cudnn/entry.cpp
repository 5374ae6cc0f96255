// cuDNN and cuBLASLt as a family of implementations on the GPUs that the cuda family brings.
#include "burin/kernels/cudnn/support/library.h"
#include "burin/kernels/plugin.h"

namespace burin {
void register_cudnn(Registry& registry);  // generated
}

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "cudnn", burin::cudnn::why_unavailable,
          burin::register_cudnn};
}
