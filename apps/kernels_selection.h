#pragma once

#include <string>
#include <vector>

#include "burin/apps/kernels_report.h"
#include "burin/kernels/check/case.h"

namespace burin::apps {

/// The cases of the selected op. Throws Failure (usage) with the nearest name if there is no such
/// op.
std::vector<const checks::OpCase*> selected_cases(const KernelSelection& selection);

/// Whether the selection's rules ("mine", "cpu/direct", "conv2d=mine") name this implementation.
bool is_selected(const KernelSelection& selection, std::string_view op,
                 std::string_view implementation);

}  // namespace burin::apps
