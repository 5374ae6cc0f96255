#include "burin/tensor/files/pickle.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

namespace burin {

using Kind = PickleNode::Kind;

/// The stack machine that a pickle is a program for, without the two instructions that act: what
/// GLOBAL would import and REDUCE would call becomes a node.
class PickleMachine {
 public:
  PickleMachine(ByteReader& reader, const PickleLimits& limits)
      : reader_(reader), limits_(limits) {}

  Pickle run() {
    for (size_t step = 0;; ++step) {
      check(step < limits_.steps, "pickle: more than ", limits_.steps, " steps");
      const auto opcode = reader_.number<uint8_t>();
      if (opcode == '.') break;
      const bool known = frame(opcode) || literal(opcode) || text(opcode) || container(opcode) ||
                         remember(opcode) || object(opcode);
      check(known, reader_.what(), ": byte ", reader_.position() - 1,
            " is no instruction of a pickle of protocol 2 to 5: ", int{opcode});
    }
    pickle_.root_ = pop();
    check(stack_.empty() && marks_.empty(), reader_.what(), ": STOP with ", stack_.size(),
          " values too many");
    return std::move(pickle_);
  }

 private:
  bool frame(uint8_t opcode) {
    switch (opcode) {
      case 0x80: {  // PROTO
        const auto protocol = reader_.number<uint8_t>();
        check(protocol >= 2 && protocol <= 5, reader_.what(), ": pickle protocol ", int{protocol},
              " is none of 2 to 5");
        return true;
      }
      case 0x95:  // FRAME: a hint for buffering
        reader_.number<uint64_t>();
        return true;
      case '0':  // POP; also takes away a mark
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        return true;
      case '1':  // POP_MARK
        stack_.resize(take_mark());
        return true;
      case '2':  // DUP
        stack_.push_back(top());
        return true;
      case '(':  // MARK
        marks_.push_back(stack_.size());
        return true;
      default:
        return false;
    }
  }

  bool literal(uint8_t opcode) {
    switch (opcode) {
      case 'N':
        push({.kind = Kind::none});
        return true;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push({.kind = Kind::boolean, .integer = opcode == 0x88});
        return true;
      case 'J':  // BININT
        push({.kind = Kind::integer, .integer = reader_.number<int32_t>()});
        return true;
      case 'K':  // BININT1
        push({.kind = Kind::integer, .integer = reader_.number<uint8_t>()});
        return true;
      case 'M':  // BININT2
        push({.kind = Kind::integer, .integer = reader_.number<uint16_t>()});
        return true;
      case 0x8a:  // LONG1
        push_long(reader_.number<uint8_t>());
        return true;
      case 0x8b:  // LONG4
        push_long(reader_.number<uint32_t>());
        return true;
      case 'G': {  // BINFLOAT, the one number in big-endian order
        const uint64_t bits = __builtin_bswap64(reader_.number<uint64_t>());
        push({.kind = Kind::real, .real = std::bit_cast<double>(bits)});
        return true;
      }
      default:
        return false;
    }
  }

  bool text(uint8_t opcode) {
    switch (opcode) {
      case 'X':  // BINUNICODE
      case 'T':  // BINSTRING, the text of Python 2
        push_text(Kind::text, reader_.number<uint32_t>());
        return true;
      case 0x8c:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING
        push_text(Kind::text, reader_.number<uint8_t>());
        return true;
      case 0x8d:  // BINUNICODE8
        push_text(Kind::text, reader_.number<uint64_t>());
        return true;
      case 'B':  // BINBYTES
        push_text(Kind::bytes, reader_.number<uint32_t>());
        return true;
      case 'C':  // SHORT_BINBYTES
        push_text(Kind::bytes, reader_.number<uint8_t>());
        return true;
      case 0x8e:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        push_text(Kind::bytes, reader_.number<uint64_t>());
        return true;
      default:
        return false;
    }
  }

  bool container(uint8_t opcode) {
    switch (opcode) {
      case ']':  // EMPTY_LIST
        push({.kind = Kind::list});
        return true;
      case '}':  // EMPTY_DICT
        push({.kind = Kind::dict});
        return true;
      case 0x8f:  // EMPTY_SET
        push({.kind = Kind::set});
        return true;
      case ')':   // EMPTY_TUPLE
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        push_sequence(Kind::tuple, opcode == ')' ? 0 : opcode - 0x84);
        return true;
      case 't':  // TUPLE
        push_sequence(Kind::tuple, count_above_mark());
        return true;
      case 'l':  // LIST
        push_sequence(Kind::list, count_above_mark());
        return true;
      case 'd':  // DICT
        push_sequence(Kind::dict, even(count_above_mark()));
        return true;
      case 0x91:  // FROZENSET
        push_sequence(Kind::set, count_above_mark());
        return true;
      case 'a':  // APPEND
        extend(1, {Kind::list, Kind::object});
        return true;
      case 'e':  // APPENDS
        extend(count_above_mark(), {Kind::list, Kind::object});
        return true;
      case 0x90:  // ADDITEMS
        extend(count_above_mark(), {Kind::set, Kind::object});
        return true;
      case 's':  // SETITEM
        extend(2, {Kind::dict, Kind::object});
        return true;
      case 'u':  // SETITEMS
        extend(even(count_above_mark()), {Kind::dict, Kind::object});
        return true;
      default:
        return false;
    }
  }

  bool remember(uint8_t opcode) {
    switch (opcode) {
      case 'q':  // BINPUT
        memorize(reader_.number<uint8_t>());
        return true;
      case 'r':  // LONG_BINPUT
        memorize(reader_.number<uint32_t>());
        return true;
      case 0x94:  // MEMOIZE
        memorize(static_cast<uint32_t>(memo_.size()));
        return true;
      case 'h':  // BINGET
        recall(reader_.number<uint8_t>());
        return true;
      case 'j':  // LONG_BINGET
        recall(reader_.number<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  bool object(uint8_t opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = reader_.line();
        push({.kind = Kind::global, .text = module, .name = reader_.line()});
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const PickleNode name = node(pop());
        const PickleNode module = node(pop());
        check(name.kind == Kind::text && module.kind == Kind::text, reader_.what(),
              ": STACK_GLOBAL needs two texts");
        push({.kind = Kind::global, .text = module.text, .name = name.text});
        return true;
      }
      case 'R':     // REDUCE: callable(*arguments)
      case 0x81: {  // NEWOBJ: callable.__new__(callable, *arguments)
        const PickleId arguments = pop();
        push({.kind = Kind::object, .callable = pop(), .arguments = arguments});
        return true;
      }
      case 0x92: {  // NEWOBJ_EX: keyword arguments besides; nothing that burin knows is made by
                    // them
        pop();
        const PickleId arguments = pop();
        push({.kind = Kind::object, .callable = pop(), .arguments = arguments});
        return true;
      }
      case 'b': {  // BUILD
        const PickleId state = pop();
        PickleNode& built = node(top());
        check(built.kind == Kind::object, reader_.what(), ": BUILD of what is no object");
        built.state = state;
        return true;
      }
      case 'Q':  // BINPERSID
        push({.kind = Kind::persistent, .arguments = pop()});
        return true;
      default:
        return false;
    }
  }

  PickleNode& node(PickleId id) { return pickle_.nodes_[id]; }

  void push(PickleNode made) {
    check(pickle_.nodes_.size() < limits_.nodes, reader_.what(), ": more than ", limits_.nodes,
          " values");
    stack_.push_back(static_cast<PickleId>(pickle_.nodes_.size()));
    pickle_.nodes_.push_back(std::move(made));
  }

  void push_text(Kind kind, uint64_t bytes) {
    push({.kind = kind, .text = as_text(reader_.take(bytes))});
  }

  void push_long(uint32_t bytes) {
    const Bytes digits = reader_.take(bytes);
    if (digits.size() > sizeof(int64_t)) {
      push({.kind = Kind::long_integer, .text = as_text(digits)});
      return;
    }
    // Two's complement of any width: the last byte's sign fills the rest.
    const bool negative = !digits.empty() && (digits.back() & std::byte{0x80}) != std::byte{0};
    int64_t value = negative ? -1 : 0;
    if (!digits.empty()) std::memcpy(&value, digits.data(), digits.size());
    push({.kind = Kind::integer, .integer = value});
  }

  /// Moves the `count` topmost values into a new node.
  void push_sequence(Kind kind, size_t count) {
    PickleNode made{.kind = kind};
    made.items = take(count);
    push(std::move(made));
  }

  /// Moves the `count` topmost values into the value below them.
  void extend(size_t count, std::initializer_list<Kind> kinds) {
    const std::vector<PickleId> added = take(count);
    PickleNode& target = node(top());
    check(std::find(kinds.begin(), kinds.end(), target.kind) != kinds.end(), reader_.what(),
          ": values are put into what can't hold them");
    target.items.insert(target.items.end(), added.begin(), added.end());
  }

  /// Values above the innermost mark, which is taken away.
  size_t count_above_mark() { return stack_.size() - take_mark(); }

  size_t take_mark() {
    check(!marks_.empty(), reader_.what(), ": a mark is missing");
    const size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
  }

  size_t even(size_t count) const {
    check(count % 2 == 0, reader_.what(), ": a key without a value");
    return count;
  }

  /// Throws Error unless `count` values lie above the innermost mark.
  void need(size_t count) const {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    check(stack_.size() - floor >= count, reader_.what(), ": the stack is empty");
  }

  std::vector<PickleId> take(size_t count) {
    need(count);
    const auto first = stack_.end() - static_cast<ptrdiff_t>(count);
    std::vector<PickleId> taken(first, stack_.end());
    stack_.erase(first, stack_.end());
    return taken;
  }

  PickleId top() const {
    need(1);
    return stack_.back();
  }

  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }

  void memorize(uint32_t key) {
    memo_[key] = top();
    check(memo_.size() <= limits_.nodes, reader_.what(), ": more than ", limits_.nodes, " memos");
  }

  void recall(uint32_t key) {
    const auto found = memo_.find(key);
    check(found != memo_.end(), reader_.what(), ": memo ", key, " was never written");
    stack_.push_back(found->second);
  }

  ByteReader& reader_;
  const PickleLimits& limits_;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleId> memo_;  // keys are the file's: a vector could be made huge
};

Pickle Pickle::read(ByteReader& reader, const PickleLimits& limits) {
  return PickleMachine(reader, limits).run();
}

const PickleNode* Pickle::find(const PickleNode& dict, std::string_view key) const {
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleNode& candidate = nodes_[dict.items[i]];
    if (candidate.kind == Kind::text && candidate.text == key) return &nodes_[dict.items[i + 1]];
  }
  return nullptr;
}

}  // namespace burin
