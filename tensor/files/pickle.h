#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "burin/tensor/files/bytes.h"

namespace burin {

using PickleId = uint32_t;

/// One value of a pickle. Nothing in it can act: what Python would import or call is only named.
struct PickleNode {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    bytes,
    long_integer,  // more than 8 bytes: `text` holds them, little-endian
    tuple,
    list,
    set,
    dict,
    global,      // what Python would import: `text` is the module, `name` the thing in it
    object,      // what Python would make by calling `callable` with `arguments`
    persistent,  // what the file keeps outside the pickle (a storage): `arguments` says which
  };
  static constexpr PickleId absent = ~PickleId{0};

  Kind kind = Kind::none;
  int64_t integer = 0;  // of boolean and integer
  double real = 0;
  std::string_view text{};
  std::string_view name{};
  PickleId callable = absent;
  PickleId arguments = absent;
  PickleId state = absent;        // of an object: what Python would give to __setstate__
  std::vector<PickleId> items{};  // elements; of a dict or object: keys and values in turn
};

/// Bounds on what a pickle may make of memory and time, far above any checkpoint that was
/// published.
struct PickleLimits {
  size_t steps = 8'000'000;
  size_t nodes = 2'000'000;  // also bounds the memo
};

/// A pickle read into a graph of inert nodes. Opcodes of protocols 2 to 5 as torch.save writes them
/// (also from Python 2); the textual ones of protocols 0 and 1 and the extension registry are
/// refused. CPython, Lib/pickletools.py. Shared values are shared nodes, and a value may contain
/// itself: whoever walks the graph must bound the walk.
class Pickle {
 public:
  /// Reads up to and including STOP. Text in the nodes points into the reader's bytes. Throws Error
  /// at the first byte that is out of order.
  static Pickle read(ByteReader& reader, const PickleLimits& limits = {});

  const PickleNode& root() const { return nodes_[root_]; }
  PickleId root_id() const { return root_; }
  const PickleNode& operator[](PickleId id) const { return nodes_[id]; }
  size_t size() const { return nodes_.size(); }

  /// True if `node` names `module.name`.
  static bool is_global(const PickleNode& node, std::string_view module, std::string_view name) {
    return node.kind == PickleNode::Kind::global && node.text == module && node.name == name;
  }
  /// The value under a text key of a dict or an object that was filled like one, or null.
  const PickleNode* find(const PickleNode& dict, std::string_view key) const;

 private:
  friend class PickleMachine;
  std::deque<PickleNode> nodes_;  // grows without moving
  PickleId root_ = 0;
};

}  // namespace burin
