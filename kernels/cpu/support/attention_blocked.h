#pragma once

#include "burin/kernels/attention.h"

namespace burin::cpu {

// attention=cpu/blocked, see attention.cpp.
size_t blocked_workspace(const AttentionForward& op, const Context& context);
size_t blocked_workspace(const AttentionBackward& op, const Context& context);
void blocked_attention(const AttentionForward& op, Workspace workspace, Stream& stream);
void blocked_attention(const AttentionBackward& op, Workspace workspace, Stream& stream);

}  // namespace burin::cpu
