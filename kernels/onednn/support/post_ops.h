#pragma once

#include <unordered_map>

#include "burin/kernels/epilogue.h"
#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/op.h"

namespace burin::onednn {

using Arguments = std::unordered_map<int, dnnl::memory>;

/// oneDNN's name of an activation. Throws Error for Activation::none.
dnnl::algorithm algorithm_of(Activation activation);

/// The epilogue's part of a problem.
void add_to_key(ProblemKey& key, const Epilogue& epilogue);

/// Why oneDNN is not asked for this epilogue, or empty.
Refusal refuse_epilogue(const Epilogue& epilogue, const View& y);

/// The residual as an addition that reads it where it lies, then the activation unless it is ReLU,
/// which relu_in_place() does behind the primitive. The bias is an operand of oneDNN's own.
dnnl::post_ops post_ops_of(const Epilogue& epilogue, const dnnl::memory::desc& y);

/// Adds what post_ops_of() and the bias read.
void add_arguments(Arguments& arguments, const Handle& handle, const Epilogue& epilogue,
                   const dnnl::memory::desc& bias, const dnnl::memory::desc& y);

}  // namespace burin::onednn
