#pragma once

#include <functional>
#include <string_view>

#include "burin/tensor/files/pickle.h"
#include "burin/tensor/files/weight_entry.h"

namespace burin {

/// What a pickle says of a storage, the flat memory below tensors: a persistent value
/// ('storage', <class>, key, location, numel[, view]).
struct TorchStorage {
  std::string_view key;
  ElementType type = ElementType::u8;
  bool untyped = false;  // the tensor tells the type; `numel` counts bytes
  int64_t numel = 0;
  int64_t begin = 0;  // in elements: legacy files cut views from a storage
};

/// The storage that `node` names, if it is one whose elements burin knows. Throws Error where it is
/// malformed.
bool read_storage(const Pickle& pickle, const PickleNode& node, TorchStorage& storage);

/// The bytes of a storage. Throws Error where there are not as many as it says.
using StorageBytes = std::function<Bytes(const TorchStorage&)>;

/// Walks what torch.save was given and lists the tensors in it: state dicts, checkpoints that hold
/// some, whole modules. Names of dictionaries become groups, plain values of the outermost one
/// metadata, and what was passed over is noted. Nothing is imported or called.
void collect_tensors(const Pickle& pickle, const StorageBytes& bytes_of, size_t file_bytes,
                     WeightListing& listing);

}  // namespace burin
