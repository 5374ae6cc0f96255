#pragma once

#include <span>
#include <string>

#include "burin/tensor/files/row_major.h"
#include "burin/tensor/files/weight_entry.h"

namespace burin {

/// The safetensors format: eight bytes that say how long the header is, a JSON header, raw
/// elements.
///
///   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …,
///    "__metadata__": {"text": "text"}}
///
/// Offsets count from the end of the header; the tensors, sorted, cover the rest of the file
/// without a gap or an overlap. https://github.com/huggingface/safetensors, README and tensor.rs.

/// True if the bytes begin as a safetensors file does.
bool looks_like_safetensors(Bytes file);

/// Lists a safetensors file. The entries point into `file`, in the order of the header. Throws
/// Error wherever the file breaks a rule of the format.
WeightListing read_safetensors(Bytes file);

/// Writes the file atomically. The header keeps the order of `tensors`; the elements lie sorted by
/// the size of their type, so that each tensor is aligned for a reader that maps the file.
void write_safetensors(const std::string& path, std::span<const NamedView> tensors,
                       const Metadata& metadata);

}  // namespace burin
