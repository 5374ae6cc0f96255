#include "burin/kernels/onednn/support/packed_weights.h"

#include <algorithm>
#include <utility>

namespace burin::onednn {
namespace {

void reorder(const Handle& handle, dnnl::memory from, dnnl::memory to) {
  dnnl::reorder(from, to).execute(handle.stream, from, to);
}

}  // namespace

dnnl::memory PackedWeights::get(const Handle& handle, const ConstView& view,
                                const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  const dnnl::memory source = wrap(handle, from, view.data);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.storage == view.key.storage && entry.data == view.data && entry.from == from &&
           entry.to == to;
  });
  const bool known = found != entries_.end();
  if (known) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    if (entries_.size() >= most) entries_.pop_back();
    entries_.push_front({view.key.storage, view.data, from, to, view.key.version, {}});
  }
  Entry& entry = entries_.front();
  const bool same_version =
      known && std::exchange(entry.version, view.key.version) == view.key.version;
  if (!entry.packed && !same_version) {
    if (!once_ || once_.get_desc().get_size() < to.get_size()) {
      once_ = {};  // first, so that there are never two
      once_ = {to, handle.engine};
    }
    dnnl::memory result = wrap(handle, to, once_.get_data_handle());
    reorder(handle, source, result);
    return result;
  }
  const bool fresh = entry.packed && same_version;
  if (!entry.packed) entry.packed = {to, handle.engine};
  if (!fresh) reorder(handle, source, entry.packed);
  return entry.packed;
}

size_t packing_bytes(const ConstView& view, const dnnl::memory::desc& from,
                     const dnnl::memory::desc& to) {
  const bool needed = from != to && !view.key;
  return needed ? room_for(to) : 0;
}

dnnl::memory packed(Stream& stream, const ConstView& view, const dnnl::memory::desc& from,
                    const dnnl::memory::desc& to, Workspace& workspace) {
  const Handle& handle = stream.state<Handle>();
  if (from == to) return wrap(handle, from, view.data);
  if (view.key) return stream.state<PackedWeights>().get(handle, view, from, to);
  dnnl::memory result = take(handle, to, workspace);
  reorder(handle, wrap(handle, from, view.data), result);
  return result;
}

}  // namespace burin::onednn
