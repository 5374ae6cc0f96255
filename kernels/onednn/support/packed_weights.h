#pragma once

#include <list>

#include "burin/kernels/onednn/support/dnnl.h"

namespace burin::onednn {

/// Weights in the layouts oneDNN chose for them, kept from call to call under their content keys.
class PackedWeights {
 public:
  static constexpr std::string_view name = "onednn packed weights";

  /// The weights of `view` (whose memory is described by `from`) in the layout `to`. Reordered when
  /// first met and, in place, when their version has changed. Needs a key.
  dnnl::memory get(const Handle& handle, const ConstView& view, const dnnl::memory::desc& from,
                   const dnnl::memory::desc& to);

 private:
  struct Entry {
    uint64_t storage;
    const void* data;         // parameters may share a storage
    dnnl::memory::desc from;  // a square matrix and its transpose differ in nothing else
    uint64_t version;
    dnnl::memory packed;
  };
  static constexpr size_t most = 1024;  // least recently used go first

  std::list<Entry> entries_;  // most recently used first
};

/// Bytes of workspace that packed() wants.
size_t packing_bytes(const ConstView& view, const dnnl::memory::desc& from,
                     const dnnl::memory::desc& to);

/// The operand in the layout `to`: itself where it lies so already, from the stream's
/// PackedWeights if it has a key, else reordered into the workspace.
dnnl::memory packed(Stream& stream, const ConstView& view, const dnnl::memory::desc& from,
                    const dnnl::memory::desc& to, Workspace& workspace);

}  // namespace burin::onednn
