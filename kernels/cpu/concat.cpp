#include "burin/kernels/concat.h"

#include "burin/kernels/cpu/support/copy_elements.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

void run(const Concat& op, Workspace /*workspace*/, Stream& /*stream*/) {
  int64_t first = 0;
  for (const ConstView& input : op.inputs) {
    copy_elements(input, slice_of(op, input, first));
    first += input.dim(op.axis);
  }
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_concat(Registry& registry) {
  registry.add<Concat>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = [](const Concat& op, const Context& /*context*/) { return breach_of(op); },
       .run = cpu::run});
}

}  // namespace burin
