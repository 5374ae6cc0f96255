#include "burin/tensor/files/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "burin/tensor/files/atomic_file.h"
#include "burin/tensor/files/row_major.h"

namespace burin {
namespace {

constexpr uint64_t most_header_bytes = 100'000'000;  // the reference refuses more

constexpr std::pair<std::string_view, ElementType> spellings[] = {
    {"F64", ElementType::f64},         {"F32", ElementType::f32},
    {"F16", ElementType::f16},         {"BF16", ElementType::bf16},
    {"F8_E4M3", ElementType::f8_e4m3}, {"F8_E5M2", ElementType::f8_e5m2},
    {"I64", ElementType::i64},         {"I32", ElementType::i32},
    {"I16", ElementType::i16},         {"I8", ElementType::i8},
    {"U64", ElementType::u64},         {"U32", ElementType::u32},
    {"U16", ElementType::u16},         {"U8", ElementType::u8},
    {"BOOL", ElementType::boolean}};

struct HeaderEntry {
  std::string name;
  std::optional<ElementType> type;
  std::optional<std::vector<uint64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;
};

/// Hears the header token by token, so that a duplicate key is seen and a deep nesting costs
/// nothing. The base class declares the callbacks; each returns true to go on, or throws.
class HeaderListener : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<HeaderEntry> entries;
  Metadata metadata;

  bool start_object(size_t /*count*/) override {
    switch (place_) {
      case Place::before:
        place_ = Place::header;
        return true;
      case Place::header:
        if (key_ == "__metadata__") {
          check(std::exchange(metadata_seen_, true) == false, "__metadata__ is there twice");
          place_ = Place::metadata;
        } else {
          check(entries.size() < WeightListing::most_entries, "more than ",
                WeightListing::most_entries, " tensors");
          entries.push_back({key_, {}, {}, {}});
          place_ = Place::entry;
        }
        return true;
      default:
        return misplaced("an object");
    }
  }
  bool end_object() override {
    if (place_ == Place::entry) {
      const HeaderEntry& entry = entries.back();
      check(entry.type && entry.shape && entry.offsets, "'", entry.name,
            "' needs dtype, shape and data_offsets");
    }
    place_ = place_ == Place::header ? Place::after : Place::header;
    return true;
  }
  bool key(string_t& value) override {
    key_ = value;
    return true;
  }
  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      check(metadata_keys_.insert(key_).second, "__metadata__ has '", key_, "' twice");
      metadata.emplace_back(key_, value);
      return true;
    }
    if (place_ != Place::entry || key_ != "dtype") return misplaced("a string");
    check(!entries.back().type, "'", entries.back().name, "' has dtype twice");
    const auto found = std::find_if(std::begin(spellings), std::end(spellings),
                                    [&](const auto& spelling) { return spelling.first == value; });
    check(found != std::end(spellings), "'", entries.back().name, "' has dtype ", value,
          ", which burin does not know");
    entries.back().type = found->second;
    return true;
  }
  bool start_array(size_t /*count*/) override {
    if (place_ != Place::entry) return misplaced("a list");
    HeaderEntry& entry = entries.back();
    check(key_ == "shape" || key_ == "data_offsets", "'", entry.name, "' has an unknown field '",
          key_, "'");
    std::optional<std::vector<uint64_t>>& list = key_ == "shape" ? entry.shape : entry.offsets;
    check(!list, "'", entry.name, "' has ", key_, " twice");
    list.emplace();
    list_ = &*list;
    place_ = Place::list;
    return true;
  }
  bool end_array() override {
    place_ = Place::entry;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::list) return misplaced("a number");
    check(list_->size() < Shape::max_rank, "'", entries.back().name, "' has more than ",
          Shape::max_rank, " dimensions");
    list_->push_back(value);
    return true;
  }
  bool number_integer(number_integer_t value) override {
    return misplaced(str("the negative number ", value));
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return misplaced(str("the number ", text));
  }
  bool null() override { return misplaced("null"); }
  bool boolean(bool /*value*/) override { return misplaced("a truth value"); }
  bool binary(binary_t& /*value*/) override { return misplaced("binary data"); }
  bool parse_error(size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    fail("the header is not JSON at byte ", position);
  }

 private:
  enum class Place : uint8_t { before, header, metadata, entry, list, after };

  [[noreturn]] bool misplaced(std::string_view what) const {
    fail("the header has ", what, " where none belongs", key_.empty() ? "" : ", at '", key_,
         key_.empty() ? "" : "'");
  }

  Place place_ = Place::before;
  bool metadata_seen_ = false;
  std::string key_;
  std::unordered_set<std::string> metadata_keys_;
  std::vector<uint64_t>* list_ = nullptr;
};

WeightEntry entry_of(const HeaderEntry& header, Bytes data) {
  WeightEntry entry;
  entry.name = header.name;
  entry.type = *header.type;
  for (const uint64_t extent : *header.shape) {
    check(std::in_range<int64_t>(extent), "'", header.name, "': extent ", extent, " is too large");
    entry.shape.push_back(static_cast<int64_t>(extent));
  }
  check(header.offsets->size() == 2, "'", header.name, "': data_offsets need a begin and an end");
  const uint64_t begin = header.offsets->front();
  const uint64_t end = header.offsets->back();
  check(begin <= end && end <= data.size(), "'", header.name, "': data_offsets [", begin, ", ", end,
        "] lie outside the ", data.size(), " bytes of data");

  const int64_t count = checked_numel(entry.shape, entry.name);
  uint64_t bytes = 0;
  const bool fits =
      !__builtin_mul_overflow(static_cast<uint64_t>(count), size_of(entry.type), &bytes);
  check(fits && bytes == end - begin, "'", header.name, "': ", entry.type, ' ', entry.shape,
        " does not take the ", end - begin, " bytes of its data_offsets");
  entry.strides = contiguous_strides(entry.shape);
  entry.storage = data.subspan(begin, end - begin);
  return entry;
}

/// Throws Error unless the entries, sorted, cover the data from its first byte to its last.
void check_cover(std::vector<HeaderEntry> entries, size_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const HeaderEntry& a, const HeaderEntry& b) { return a.offsets < b.offsets; });
  uint64_t covered = 0;
  for (const HeaderEntry& entry : entries) {
    check(entry.offsets->front() == covered, "'", entry.name, "' begins at byte ",
          entry.offsets->front(), " of the data, expected is ", covered,
          ": there is a gap or an overlap");
    covered = entry.offsets->back();
  }
  check(covered == data_bytes, "the tensors cover ", covered, " of ", data_bytes, " bytes of data");
}

/// Text as a JSON string, quotes included.
std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail("safetensors: a name or metadata text is not UTF-8");
  }
}

std::string_view spelling_of(ElementType type) {
  for (const auto& [text, spelled] : spellings) {
    if (spelled == type) return text;
  }
  fail("safetensors: no spelling for ", type);
}

uint64_t bytes_of(const ConstView& view) {
  return static_cast<uint64_t>(view.numel()) * size_of(view.dtype);
}

/// The header for tensors whose data begin at `begins`, padded with spaces to a multiple of 8.
std::string header_text(std::span<const NamedView> tensors, const std::vector<uint64_t>& begins,
                        const Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (text.back() != '{') text += ',';
      text += quoted(key) + ':' + quoted(value);
    }
    text += '}';
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ConstView& view = tensors[i].view;
    if (text.size() > 1) text += ',';
    text += quoted(tensors[i].name);
    text +=
        str(":{\"dtype\":\"", spelling_of(element_type_of(view.dtype)), "\",\"shape\":", view.shape,
            ",\"data_offsets\":[", begins[i], ',', begins[i] + bytes_of(view), "]}");
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

bool looks_like_safetensors(Bytes file) {
  return file.size() >= 9 && file[8] == std::byte{'{'};
}

WeightListing read_safetensors(Bytes file) {
  ByteReader reader(file, "safetensors");
  const auto header_bytes = reader.number<uint64_t>();
  check(header_bytes <= most_header_bytes, "safetensors: a header of ", header_bytes,
        " bytes is more than the format allows (", most_header_bytes, ")");
  const std::string_view header = as_text(reader.take(header_bytes));
  check(header.starts_with('{'), "safetensors: the header does not begin with '{'");
  const Bytes data = reader.take(reader.remaining());

  WeightListing listing;
  listing.format = "safetensors";
  try {
    HeaderListener listener;
    nlohmann::json::sax_parse(header.begin(), header.end(), &listener);
    for (const HeaderEntry& entry : listener.entries) {
      listing.add(entry_of(entry, data), file.size());
    }
    check_cover(std::move(listener.entries), data.size());
    listing.metadata = std::move(listener.metadata);
  } catch (const Error& error) {
    fail("safetensors: ", error.what());
  }
  return listing;
}

void write_safetensors(const std::string& path, std::span<const NamedView> tensors,
                       const Metadata& metadata) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return size_of(tensors[a].view.dtype) > size_of(tensors[b].view.dtype);
  });
  std::vector<uint64_t> begins(tensors.size());
  uint64_t end = 0;
  for (const size_t i : order) {
    begins[i] = std::exchange(end, end + bytes_of(tensors[i].view));
  }

  check_names(tensors, "safetensors");
  const std::string header = header_text(tensors, begins, metadata);
  check(header.size() <= most_header_bytes, "safetensors: the header would have ", header.size(),
        " bytes, more than the format allows (", most_header_bytes, ")");
  AtomicFile file(path);
  const uint64_t header_bytes = header.size();
  file.write(std::as_bytes(std::span(&header_bytes, 1)));
  file.write(header);
  for (const size_t i : order) file.write(RowMajor(tensors[i].view).bytes());
  file.commit();
}

}  // namespace burin
