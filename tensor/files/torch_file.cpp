#include "burin/tensor/files/torch_file.h"

#include <unordered_map>
#include <unordered_set>

#include "burin/tensor/files/pickle.h"
#include "burin/tensor/files/torch_tensors.h"
#include "burin/tensor/files/zip.h"

namespace burin {
namespace {

using Kind = PickleNode::Kind;

// torch/serialization.py: MAGIC_NUMBER and PROTOCOL_VERSION of the legacy stream
constexpr std::string_view legacy_magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t legacy_protocol = 1001;

/// The part of `content` from where a storage's view begins. Throws Error where it is not as long
/// as the pickle says.
Bytes cut(const TorchStorage& storage, Bytes content) {
  const size_t size = size_of(storage.type);
  const uint64_t available = content.size() / size;
  check(static_cast<uint64_t>(storage.numel) <= available, "torch file: storage '", storage.key,
        "' has ", available, " elements, its tensors expect ", storage.numel);
  check(static_cast<uint64_t>(storage.begin) <= available, "torch file: storage '", storage.key,
        "' has ", available, " elements, a view begins at ", storage.begin);
  return content.subspan(static_cast<size_t>(storage.begin) * size);
}

/// "archive" of the one entry "archive/data.pkl".
std::string_view find_stem(const ZipReader& zip) {
  constexpr std::string_view pickle_name = "/data.pkl";
  for (const ZipReader::Entry& entry : zip.entries()) {
    if (entry.name.ends_with(pickle_name)) {
      const std::string_view stem = entry.name.substr(0, entry.name.size() - pickle_name.size());
      if (stem.find('/') == std::string_view::npos) return stem;
    }
  }
  fail("torch file: a zip archive without <name>/data.pkl, so not one of torch.save");
}

/// Throws Error for archives that look alike but mean something else.
void check_kind(const ZipReader& zip, const std::string& stem) {
  check(zip.find(stem + "/constants.pkl") == nullptr,
        "torch file: a TorchScript archive (torch.jit.save): save the state_dict() of the module "
        "instead");
  if (const ZipReader::Entry* const order = zip.find(stem + "/byteorder")) {
    check(as_text(ZipReader::verified(*order)) == "little", "torch file: its byte order is '",
          as_text(order->content).substr(0, 20), "', only little-endian files are read");
  }
}

/// Element size and number of every storage that the pickle of a legacy file names.
std::unordered_map<std::string_view, TorchStorage> find_storages(const Pickle& pickle) {
  std::unordered_map<std::string_view, TorchStorage> storages;
  for (size_t id = 0; id < pickle.size(); ++id) {
    const PickleNode& node = pickle[static_cast<PickleId>(id)];
    TorchStorage storage;
    if (node.kind != Kind::persistent || !read_storage(pickle, node, storage)) continue;
    const auto [known, added] = storages.emplace(storage.key, storage);
    check(added || known->second.type == storage.type, "torch file: storage '", storage.key,
          "' is said to hold ", known->second.type, " and ", storage.type);
  }
  return storages;
}

void check_legacy_header(ByteReader& reader) {
  const Pickle magic = Pickle::read(reader);
  check(magic.root().kind == Kind::long_integer && magic.root().text == legacy_magic,
        "torch file: a pickle, but not one of torch.save");
  const Pickle protocol = Pickle::read(reader);
  check(protocol.root().kind == Kind::integer && protocol.root().integer == legacy_protocol,
        "torch file: the legacy stream's version is ", protocol.root().integer, ", expected ",
        legacy_protocol);
  const Pickle system = Pickle::read(reader);
  const PickleNode* const little = system.find(system.root(), "little_endian");
  check(little != nullptr && little->kind == Kind::boolean && little->integer == 1,
        "torch file: not written on a little-endian machine");
}

/// The storages that follow the pickles: for each key the number of elements and the elements.
std::unordered_map<std::string_view, Bytes> read_legacy_storages(ByteReader& reader,
                                                                 const Pickle& pickle) {
  const auto described = find_storages(pickle);
  const Pickle keys = Pickle::read(reader);
  check(keys.root().kind == Kind::list, "torch file: the list of storages is missing");
  std::unordered_map<std::string_view, Bytes> contents;
  for (const PickleId id : keys.root().items) {
    const std::string_view key = keys[id].text;
    const auto storage = described.find(key);
    check(storage != described.end(), "torch file: no tensor tells the type of storage '", key,
          "'");
    const auto count = reader.number<uint64_t>();
    const size_t size = size_of(storage->second.type);
    check(count <= reader.remaining() / size, "torch file: storage '", key, "' has ", count,
          " elements, but the file ends before");
    check(contents.emplace(key, reader.take(count * size)).second, "torch file: storage '", key,
          "' is there twice");
  }
  return contents;
}

}  // namespace

bool looks_like_torch_zip(Bytes file) {
  return as_text(file).starts_with("PK\x03\x04");
}

bool looks_like_torch_legacy(Bytes file) {
  return file.size() >= 2 && file[0] == std::byte{0x80} && file[1] >= std::byte{2} &&
         file[1] <= std::byte{5};
}

WeightListing read_torch_zip(Bytes file) {
  const ZipReader zip(file);
  const std::string stem(find_stem(zip));
  check_kind(zip, stem);
  ByteReader reader(ZipReader::verified(*zip.find(stem + "/data.pkl")), "torch file: data.pkl");
  const Pickle pickle = Pickle::read(reader);

  std::unordered_set<const ZipReader::Entry*> verified;
  const StorageBytes bytes_of = [&](const TorchStorage& storage) {
    const ZipReader::Entry* const entry = zip.find(str(stem, "/data/", storage.key));
    check(entry != nullptr, "torch file: storage '", storage.key.substr(0, 100), "' is missing");
    if (verified.insert(entry).second) ZipReader::verified(*entry);
    return cut(storage, entry->content);
  };
  WeightListing listing;
  listing.format = "torch zip";
  collect_tensors(pickle, bytes_of, file.size(), listing);
  return listing;
}

WeightListing read_torch_legacy(Bytes file) {
  ByteReader reader(file, "torch file");
  check_legacy_header(reader);
  const Pickle pickle = Pickle::read(reader);
  const auto contents = read_legacy_storages(reader, pickle);

  const StorageBytes bytes_of = [&](const TorchStorage& storage) {
    const auto content = contents.find(storage.key);
    check(content != contents.end(), "torch file: storage '", storage.key.substr(0, 100),
          "' is missing");
    return cut(storage, content->second);
  };
  WeightListing listing;
  listing.format = "torch legacy";
  collect_tensors(pickle, bytes_of, file.size(), listing);
  return listing;
}

}  // namespace burin
