// A plug-in that can't work on this machine, and says why.
#include "burin/kernels/plugin.h"

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "unavailable",
          [] { return "it needs an abacus, and there is none"; }, nullptr};
}
