#include "burin/tensor/files/weight_entry.h"

#include <algorithm>
#include <type_traits>

namespace burin {
namespace {

// A hostile file names one byte a million times, or shares one storage between all its tensors.
// Real files do so for tied weights and expanded buffers: a few times at most.
constexpr uint64_t most_sharing = 16;
constexpr uint64_t always_allowed_bytes = 64 << 20;
constexpr size_t most_name_bytes = 64 << 20;

/// Throws Error unless every element lies inside the storage. Without elements a tensor may begin
/// anywhere: torch saves zeros(4, 0)[1:] with an offset of 1.
void check_bounds(const WeightEntry& entry) {
  const int64_t count = checked_numel(entry.shape, entry.name);
  const auto stored = static_cast<int64_t>(entry.storage.size() / size_of(entry.type));
  check(entry.strides.rank() == entry.shape.rank(), entry.name, ": shape ", entry.shape,
        " and strides ", entry.strides, " differ in rank");
  check(entry.offset >= 0 && (count == 0 || entry.offset <= stored), entry.name,
        ": begins at element ", entry.offset, " of a storage of ", stored);
  if (count == 0) return;
  int64_t last = entry.offset;
  bool inside = true;
  for (int i = 0; i < entry.shape.rank(); ++i) {
    int64_t reach = 0;
    inside = inside && entry.strides[i] >= 0 &&
             !__builtin_mul_overflow(entry.shape[i] - 1, entry.strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
  }
  check(inside && last < stored, entry.name, ": shape ", entry.shape, " with strides ",
        entry.strides, " from element ", entry.offset, " reaches outside its storage of ", stored,
        " elements");
}

/// One loop of a strided walk through both sides.
struct Axis {
  int64_t extent;
  int64_t from;  // strides in elements
  int64_t to;
};

/// The axes of the walk, outermost first, with neighbours merged that are one run on both sides.
std::vector<Axis> merged_axes(const WeightEntry& entry, const View& to) {
  std::vector<Axis> axes;
  for (int i = 0; i < entry.shape.rank(); ++i) {
    const Axis axis = {entry.shape[i], entry.strides[i], to.strides[i]};
    if (axis.extent == 1) continue;
    if (!axes.empty() && axes.back().from == axis.from * axis.extent &&
        axes.back().to == axis.to * axis.extent) {
      axes.back() = {axes.back().extent * axis.extent, axis.from, axis.to};
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  return axes;
}

/// Calls run(from, to) with the offsets of the first element of each innermost run.
template <class Run>
void for_each_run(const std::vector<Axis>& axes, const Run& run) {
  std::vector<int64_t> index(axes.size(), 0);
  int64_t from = 0;
  int64_t to = 0;
  while (true) {
    run(from, to);
    size_t axis = axes.size() - 1;
    while (true) {
      if (axis == 0) return;
      --axis;
      from += axes[axis].from;
      to += axes[axis].to;
      if (++index[axis] < axes[axis].extent) break;
      from -= axes[axis].from * axes[axis].extent;
      to -= axes[axis].to * axes[axis].extent;
      index[axis] = 0;
    }
  }
}

template <class T>
constexpr bool is_integer = std::is_integral_v<T> || std::is_same_v<T, boolean8>;

template <class To, class From>
To convert(From value, const std::string& name) {
  if constexpr (std::is_same_v<From, boolean8>) {
    return To(value.bits != 0);
  } else if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_integral_v<To>) {
    check(std::in_range<To>(value), name, ": ", +value, " does not fit the integer type asked for");
    return static_cast<To>(value);
  } else {
    return To(static_cast<float>(value));
  }
}

template <class To, class From>
void copy_elements(const WeightEntry& entry, const View& to) {
  const std::byte* const source =
      entry.storage.data() + static_cast<size_t>(entry.offset) * sizeof(From);
  To* const target = to.as<To>();
  const std::vector<Axis> axes = merged_axes(entry, to);
  const Axis inner = axes.back();
  for_each_run(axes, [&](int64_t from, int64_t at) {
    if constexpr (std::is_same_v<To, From>) {
      if (inner.from == 1 && inner.to == 1) {
        std::memcpy(target + at, source + from * int64_t{sizeof(From)},
                    static_cast<size_t>(inner.extent) * sizeof(To));
        return;
      }
    }
    for (int64_t i = 0; i < inner.extent; ++i) {
      const auto value = load<From>(source + (from + i * inner.from) * int64_t{sizeof(From)});
      target[at + i * inner.to] = convert<To>(value, entry.name);
    }
  });
}

}  // namespace

int64_t checked_numel(const Shape& shape, std::string_view name) {
  bool fits = true;
  int64_t product = 1;
  for (const int64_t extent : shape) {
    // An extent of 0 makes the tensor empty, but must not hide an overflow.
    fits = fits && extent >= 0 &&
           !__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product);
  }
  check(fits, name, ": shape ", shape, " is negative or too large");
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? product : 0;
}

void WeightListing::add(WeightEntry entry, size_t file_bytes) {
  check(entries_.size() < most_entries, "weight file: more than ", most_entries, " tensors");
  check_bounds(entry);
  check(seen_.insert(entry.group + '\n' + entry.name).second, entry.name, ": is there twice");
  name_bytes_ += entry.group.size() + entry.name.size();
  check(name_bytes_ <= most_name_bytes, "weight file: more than ", most_name_bytes,
        " bytes of names");

  uint64_t bytes = 0;
  const bool fits = !__builtin_mul_overflow(static_cast<uint64_t>(numel(entry.shape)),
                                            size_of(entry.type), &bytes) &&
                    !__builtin_add_overflow(element_bytes_, bytes, &element_bytes_);
  check(fits && element_bytes_ <= most_sharing * file_bytes + always_allowed_bytes, entry.name,
        ": the tensors up to this one would take ", element_bytes_,
        " bytes of memory, from a file of ", file_bytes);
  entries_.push_back(std::move(entry));
}

void read_entry(const WeightEntry& entry, const View& to) {
  check(entry.shape == to.shape, entry.name, ": the file has shape ", entry.shape, ", wanted is ",
        to.shape);
  if (numel(entry.shape) == 0) return;
  visit_element_type(entry.type, [&](auto from_tag) {
    visit_dtype(to.dtype, [&](auto to_tag) {
      using From = typename decltype(from_tag)::type;
      using To = typename decltype(to_tag)::type;
      if constexpr (std::is_integral_v<To> && !is_integer<From>) {
        fail(entry.name, ": the file has ", entry.type, ", which can't be read as ", to.dtype);
      } else {
        copy_elements<To, From>(entry, to);
      }
    });
  });
}

}  // namespace burin
