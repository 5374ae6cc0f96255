#include "burin/tensor/files/torch_tensors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

namespace burin {
namespace {

using Kind = PickleNode::Kind;

constexpr int most_depth = 100;  // of dictionaries, lists and modules in each other
// The same value may be met on many ways, so the walk counts what it looks at, whatever it is.
constexpr size_t most_looks = 50'000'000;
constexpr size_t most_path = 2'000;  // characters of a tensor's group and name
constexpr size_t most_names_in_note = 8;

constexpr std::pair<std::string_view, ElementType> storage_classes[] = {
    {"DoubleStorage", ElementType::f64}, {"FloatStorage", ElementType::f32},
    {"HalfStorage", ElementType::f16},   {"BFloat16Storage", ElementType::bf16},
    {"LongStorage", ElementType::i64},   {"IntStorage", ElementType::i32},
    {"ShortStorage", ElementType::i16},  {"CharStorage", ElementType::i8},
    {"ByteStorage", ElementType::u8},    {"BoolStorage", ElementType::boolean}};

// dtypes that have no storage class of their own, and come with an untyped storage
constexpr std::pair<std::string_view, ElementType> dtypes[] = {
    {"float64", ElementType::f64},        {"float32", ElementType::f32},
    {"float16", ElementType::f16},        {"bfloat16", ElementType::bf16},
    {"int64", ElementType::i64},          {"int32", ElementType::i32},
    {"int16", ElementType::i16},          {"int8", ElementType::i8},
    {"uint64", ElementType::u64},         {"uint32", ElementType::u32},
    {"uint16", ElementType::u16},         {"uint8", ElementType::u8},
    {"bool", ElementType::boolean},       {"float8_e4m3fn", ElementType::f8_e4m3},
    {"float8_e5m2", ElementType::f8_e5m2}};

template <class Table>
std::optional<ElementType> look_up(const Table& table, std::string_view text) {
  for (const auto& [name, type] : table) {
    if (name == text) return type;
  }
  return std::nullopt;
}

/// Globals that say nothing about what is missing from the listing.
bool is_harmless(const PickleNode& global) {
  const std::string_view module = global.text;
  return module == "collections" || module == "torch" || module == "__builtin__" ||
         module == "builtins" || module == "torch._utils" || module == "torch.serialization";
}

/// The fewest digits that read back as the same number, as Python prints it.
std::string shortest(double value) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), value);
  return {digits.begin(), end};
}

Dims dims_of(const Pickle& pickle, const PickleNode& tuple) {
  check(tuple.kind == Kind::tuple && tuple.items.size() <= Dims::max_rank,
        "torch file: a tensor's size or stride is no tuple of at most ", Dims::max_rank,
        " integers");
  Dims dims;
  for (const PickleId id : tuple.items) {
    check(pickle[id].kind == Kind::integer, "torch file: a tensor's size or stride is no integer");
    dims.push_back(pickle[id].integer);
  }
  return dims;
}

/// The walk, and what it has met so far.
class Collector {
 public:
  Collector(const Pickle& pickle, const StorageBytes& bytes_of, size_t file_bytes,
            WeightListing& listing)
      : pickle_(pickle), bytes_of_(bytes_of), file_bytes_(file_bytes), listing_(listing) {}

  void collect() {
    on_way_.assign(pickle_.size(), false);
    visit(pickle_.root_id(), "", "", 0);
    add_notes();
  }

 private:
  /// `group` is where the value stands; `name` its key there, empty for the root.
  void visit(PickleId id, const std::string& group, const std::string& name, int depth) {
    enter(depth, group.size() + name.size());
    const PickleNode& node = pickle_[id];
    if (std::optional<WeightEntry> entry = tensor(node, 0)) {
      entry->group = group;
      entry->name = name;
      listing_.add(*std::move(entry), file_bytes_);
      return;
    }
    if (on_way_[id]) return;  // contains itself
    on_way_[id] = true;
    const std::string inside = group + (group.empty() || name.empty() ? "" : "/") + name;
    if (is_dict(node)) {
      visit_dict(node, inside, depth);
    } else if (node.kind == Kind::list || node.kind == Kind::tuple) {
      look(node.items.size());
      for (size_t i = 0; i < node.items.size(); ++i) {
        if (is_container(node.items[i])) visit(node.items[i], inside, str(i), depth + 1);
      }
    } else if (const PickleNode* const state = module_state(node)) {
      modules_.insert(class_name(node));
      visit_module(*state, inside, "", depth);
    } else if (node.kind == Kind::object) {
      opaque_.insert(class_name(node));
    }
    on_way_[id] = false;
  }

  /// Counts work, so that a small file can't ask for a long walk.
  void look(size_t values) {
    looks_ += values;
    check(looks_ <= most_looks, "torch file: the same values are met on too many ways");
  }

  void enter(int depth, size_t path) {
    look(1 + path / 16);
    check(depth <= most_depth, "torch file: nested deeper than ", most_depth);
    check(path <= most_path, "torch file: a name of ", path, " characters");
  }

  const PickleNode* find(const PickleNode& dict, std::string_view key) {
    look(dict.items.size());
    return pickle_.find(dict, key);
  }

  void visit_dict(const PickleNode& dict, const std::string& inside, int depth) {
    look(dict.items.size());
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const std::optional<std::string> key = key_text(pickle_[dict.items[i]]);
      if (!key) continue;
      const PickleId value = dict.items[i + 1];
      if (is_container(value)) {
        visit(value, inside, *key, depth + 1);
      } else if (depth == 0) {
        add_metadata(*key, pickle_[value]);
      }
    }
  }

  /// Parameters, buffers and submodules, in the order in which torch's state_dict() names them.
  void visit_module(const PickleNode& state, const std::string& group, const std::string& prefix,
                    int depth) {
    enter(depth, group.size() + prefix.size());
    visit_module_part(state, "_parameters", group, prefix, depth);
    visit_module_part(state, "_buffers", group, prefix, depth);
    visit_module_part(state, "_modules", group, prefix, depth);
  }

  void visit_module_part(const PickleNode& state, std::string_view part, const std::string& group,
                         const std::string& prefix, int depth) {
    const PickleNode* const dict = find(state, part);
    if (dict == nullptr) return;
    look(dict->items.size());
    for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
      const std::optional<std::string> key = key_text(pickle_[dict->items[i]]);
      const PickleId id = dict->items[i + 1];
      if (!key || (part == "_buffers" && is_non_persistent(state, *key))) continue;
      if (std::optional<WeightEntry> entry = tensor(pickle_[id], 0)) {
        entry->group = group;
        entry->name = prefix + *key;
        listing_.add(*std::move(entry), file_bytes_);
      } else if (const PickleNode* const child = module_state(pickle_[id]);
                 child != nullptr && !on_way_[id]) {
        on_way_[id] = true;
        visit_module(*child, group, prefix + *key + ".", depth + 1);
        on_way_[id] = false;
      }
    }
  }

  bool is_non_persistent(const PickleNode& state, std::string_view name) {
    const PickleNode* set = find(state, "_non_persistent_buffers_set");
    // Protocol 2 has no sets: set([...]) is a call.
    if (set != nullptr && set->kind == Kind::object) {
      const PickleNode& arguments = pickle_[set->arguments];
      set = arguments.items.empty() ? nullptr : &pickle_[arguments.items[0]];
    }
    if (set == nullptr) return false;
    look(set->items.size());
    return std::any_of(set->items.begin(), set->items.end(),
                       [&](PickleId id) { return pickle_[id].text == name; });
  }

  bool is_container(PickleId id) const {
    const Kind kind = pickle_[id].kind;
    return kind == Kind::dict || kind == Kind::list || kind == Kind::tuple || kind == Kind::object;
  }

  bool is_dict(const PickleNode& node) const {
    if (node.kind == Kind::dict) return true;
    if (node.kind != Kind::object) return false;
    const PickleNode& made_by = pickle_[node.callable];
    return Pickle::is_global(made_by, "collections", "OrderedDict") ||
           Pickle::is_global(made_by, "collections", "defaultdict");
  }

  /// The attributes of a torch.nn.Module of whatever class, or null.
  const PickleNode* module_state(const PickleNode& node) {
    if (node.kind != Kind::object || node.state == PickleNode::absent) return nullptr;
    const PickleNode& state = pickle_[node.state];
    if (state.kind != Kind::dict) return nullptr;
    return find(state, "_parameters") && find(state, "_modules") ? &state : nullptr;
  }

  /// The tensor that `node` would be rebuilt to, if it is one that burin knows.
  std::optional<WeightEntry> tensor(const PickleNode& node, int depth) {
    if (node.kind != Kind::object) return std::nullopt;
    const PickleNode& rebuild = pickle_[node.callable];
    const PickleNode& arguments = pickle_[node.arguments];
    if (rebuild.kind != Kind::global || arguments.kind != Kind::tuple) return std::nullopt;

    const std::string_view name = rebuild.name;
    const bool utils = rebuild.text == "torch._utils";
    if (utils && (name == "_rebuild_parameter" || name == "_rebuild_parameter_with_state")) {
      return tensor(argument(arguments, 0), next_level(depth));
    }
    if (rebuild.text == "torch._tensor" && name == "_rebuild_from_type_v2") {
      // (function, class, its arguments, attributes): a tensor of a subclass
      PickleNode plain{.kind = Kind::object};
      check(arguments.items.size() >= 3, "torch file: a subclass tensor lacks its arguments");
      plain.callable = arguments.items[0];
      plain.arguments = arguments.items[2];
      return tensor(plain, next_level(depth));
    }
    if (utils && (name == "_rebuild_tensor_v2" || name == "_rebuild_tensor_v3" ||
                  name == "_rebuild_tensor")) {
      return strided_tensor(arguments, name == "_rebuild_tensor_v3");
    }
    if (utils && name.starts_with("_rebuild")) unsupported_.insert(std::string(name));
    return std::nullopt;
  }

  static int next_level(int depth) {
    check(depth < 4, "torch file: a parameter of a parameter of a parameter");
    return depth + 1;
  }

  const PickleNode& argument(const PickleNode& arguments, size_t index) const {
    check(index < arguments.items.size(), "torch file: a tensor lacks argument ", index);
    return pickle_[arguments.items[index]];
  }

  /// (storage, offset, size, stride, …); version 3 has the dtype at place 6.
  std::optional<WeightEntry> strided_tensor(const PickleNode& arguments, bool has_dtype) {
    TorchStorage storage;
    if (!read_storage(pickle_, argument(arguments, 0), storage)) {
      unsupported_.insert("a storage of another type");
      return std::nullopt;
    }
    std::optional<ElementType> type = storage.type;
    if (has_dtype) {
      const PickleNode& dtype = argument(arguments, 6);
      type = dtype.kind == Kind::global && dtype.text == "torch" ? look_up(dtypes, dtype.name)
                                                                 : std::nullopt;
      if (!type) {
        unsupported_.insert("a tensor of another dtype");
        return std::nullopt;
      }
    }
    const PickleNode& offset = argument(arguments, 1);
    check(offset.kind == Kind::integer, "torch file: a tensor's offset is no integer");

    if (argument(arguments, 2).items.size() > Dims::max_rank) {
      unsupported_.insert(str("a tensor of more than ", Dims::max_rank, " dimensions"));
      return std::nullopt;
    }
    WeightEntry entry;
    entry.type = *type;
    entry.shape = dims_of(pickle_, argument(arguments, 2));
    entry.strides = dims_of(pickle_, argument(arguments, 3));
    entry.offset = offset.integer;
    entry.storage = bytes_of_(storage);
    return entry;
  }

  static std::optional<std::string> key_text(const PickleNode& key) {
    if (key.kind == Kind::text) return std::string(key.text.substr(0, most_path + 1));
    if (key.kind == Kind::integer) return str(key.integer);
    return std::nullopt;
  }

  void add_metadata(const std::string& key, const PickleNode& value) {
    constexpr size_t most_text = 10'000;  // a description, not a file
    constexpr size_t most_values = 1'000;
    if (key.size() > most_text || value.text.size() > most_text) return;
    if (listing_.metadata.size() >= most_values) return;
    if (value.kind == Kind::text) listing_.metadata.emplace_back(key, value.text);
    if (value.kind == Kind::integer) listing_.metadata.emplace_back(key, str(value.integer));
    if (value.kind == Kind::real) listing_.metadata.emplace_back(key, shortest(value.real));
    if (value.kind == Kind::boolean) {
      listing_.metadata.emplace_back(key, value.integer != 0 ? "true" : "false");
    }
  }

  /// "module.Class" of an object, empty for those that need no mention.
  std::string class_name(const PickleNode& object) const {
    PickleNode made_by = pickle_[object.callable];
    if (made_by.kind == Kind::persistent) {
      // Legacy files keep a module's class as ('module', class, file, source).
      const PickleNode& tuple = pickle_[made_by.arguments];
      if (tuple.items.size() >= 2) made_by = pickle_[tuple.items[1]];
    }
    if (made_by.kind != Kind::global || is_harmless(made_by)) return "";
    return str(made_by.text.substr(0, 100), ".", made_by.name.substr(0, 100));
  }

  void add_notes() {
    modules_.erase("");
    opaque_.erase("");
    add_note("parameters and buffers were taken from a whole module, whose code was not run: ",
             modules_);
    add_note("passed over unknown objects, which were not run: ", opaque_);
    add_note("passed over tensors burin can't read: ", unsupported_);
  }

  void add_note(std::string text, const std::set<std::string>& names) {
    if (names.empty()) return;
    size_t count = 0;
    for (const std::string& name : names) {
      if (count == most_names_in_note) text += str(", and ", names.size() - count, " more");
      if (count++ >= most_names_in_note) break;
      text += (count > 1 ? ", " : "") + name;
    }
    listing_.notes.push_back(std::move(text));
  }

  const Pickle& pickle_;
  const StorageBytes& bytes_of_;
  const size_t file_bytes_;
  WeightListing& listing_;
  std::vector<bool> on_way_;  // by node: being visited further out
  size_t looks_ = 0;
  std::set<std::string> modules_;
  std::set<std::string> opaque_;
  std::set<std::string> unsupported_;
};

}  // namespace

bool read_storage(const Pickle& pickle, const PickleNode& node, TorchStorage& storage) {
  check(node.kind == Kind::persistent, "torch file: a tensor has no storage");
  const PickleNode& tuple = pickle[node.arguments];
  if (tuple.kind != Kind::tuple || tuple.items.size() < 5) return false;
  const auto part = [&](size_t i) -> const PickleNode& { return pickle[tuple.items[i]]; };
  if (part(0).text != "storage" || part(1).kind != Kind::global) return false;
  check(part(2).kind == Kind::text && part(4).kind == Kind::integer && part(4).integer >= 0,
        "torch file: a storage lacks its key or its size");

  storage.untyped = part(1).name == "UntypedStorage";
  const std::optional<ElementType> type = look_up(storage_classes, part(1).name);
  if (!type && !storage.untyped) return false;
  storage.type = type.value_or(ElementType::u8);
  storage.key = part(2).text;
  storage.numel = part(4).integer;
  storage.begin = 0;
  if (tuple.items.size() > 5 && part(5).kind == Kind::tuple) {
    // A view of the storage: (key, begin, numel).
    const PickleNode& view = part(5);
    check(view.items.size() == 3 && pickle[view.items[1]].kind == Kind::integer &&
              pickle[view.items[1]].integer >= 0,
          "torch file: a view of a storage is malformed");
    storage.begin = pickle[view.items[1]].integer;
  }
  return true;
}

void collect_tensors(const Pickle& pickle, const StorageBytes& bytes_of, size_t file_bytes,
                     WeightListing& listing) {
  Collector(pickle, bytes_of, file_bytes, listing).collect();
}

}  // namespace burin
