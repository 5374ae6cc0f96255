#pragma once

#include <span>
#include <string>

#include "burin/tensor/files/row_major.h"
#include "burin/tensor/files/weight_entry.h"

namespace burin {

/// What torch.save writes: since version 1.6 a zip archive with the objects as a pickle (data.pkl)
/// and one entry for each storage; before, one stream of five pickles and the raw storages.

bool looks_like_torch_zip(Bytes file);
bool looks_like_torch_legacy(Bytes file);

/// List the tensors of a file, as collect_tensors() says. The entries point into `file`. Throw
/// Error wherever it is damaged; the zip's storages are checked against their CRC-32.
WeightListing read_torch_zip(Bytes file);
WeightListing read_torch_legacy(Bytes file);

/// Writes a state dict, an OrderedDict of tensors, atomically, as a zip that
/// torch.load(weights_only=True) reads. i32 and u8 are written too. At most 4 GiB.
void write_torch_file(const std::string& path, std::span<const NamedView> tensors);

}  // namespace burin
