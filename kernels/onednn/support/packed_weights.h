#pragma once

#include <list>

#include "burin/kernels/onednn/support/dnnl.h"

namespace burin::onednn {

/// Weights in the layouts oneDNN chose for them, kept from call to call under their content keys.
///
/// A copy takes as much memory as the weights, and what is used once (training uses every version
/// once, a single prediction the only one) gains nothing from it. So it is kept from a version's
/// second use on.
class PackedWeights {
 public:
  static constexpr std::string_view name = "onednn packed weights";

  /// The weights of `view` (whose memory is described by `from`) in the layout `to`, until the next
  /// call: the kept copy, reordered where it is new or the weights' version has changed, or one
  /// that the next weights met for the first time will overwrite. Needs a key.
  dnnl::memory get(const Handle& handle, const ConstView& view, const dnnl::memory::desc& from,
                   const dnnl::memory::desc& to);

 private:
  struct Entry {
    uint64_t storage;
    const void* data;             // parameters may share a storage
    dnnl::memory::desc from, to;  // a square matrix and its transpose differ in `from` alone
    uint64_t version;             // last met
    dnnl::memory packed;          // empty until a version is met again
  };
  static constexpr size_t most = 1024;  // least recently used go first

  std::list<Entry> entries_;  // most recently used first
  dnnl::memory once_;         // room for weights that are not kept, as large as the largest
};

/// Bytes of workspace that packed() wants.
size_t packing_bytes(const ConstView& view, const dnnl::memory::desc& from,
                     const dnnl::memory::desc& to);

/// The operand in the layout `to`: itself where it lies so already, from the stream's
/// PackedWeights if it has a key, else reordered into the workspace.
dnnl::memory packed(Stream& stream, const ConstView& view, const dnnl::memory::desc& from,
                    const dnnl::memory::desc& to, Workspace& workspace);

}  // namespace burin::onednn
