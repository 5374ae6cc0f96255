#include "burin/kernels/onednn/support/post_ops.h"

namespace burin::onednn {

dnnl::algorithm algorithm_of(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return dnnl::algorithm::eltwise_relu;
    case Activation::gelu:
      return dnnl::algorithm::eltwise_gelu_erf;
    case Activation::gelu_tanh:
      return dnnl::algorithm::eltwise_gelu_tanh;
    case Activation::sigmoid:
      return dnnl::algorithm::eltwise_logistic;
    case Activation::none:
      break;
  }
  fail("onednn: ", name_of(activation), " is no activation of oneDNN");
}

void add_to_key(ProblemKey& key, const Epilogue& epilogue) {
  key.add(epilogue.bias).add(epilogue.residual).add(static_cast<int64_t>(epilogue.activation));
}

Refusal refuse_epilogue(const Epilogue& epilogue, const View& y) {
  const bool dense = y.is_dense(Layout::nchw) || y.is_dense(Layout::nhwc);
  return epilogue.activation != Activation::relu || dense ? "" : "ReLU over a y with gaps";
}

dnnl::post_ops post_ops_of(const Epilogue& epilogue, const dnnl::memory::desc& y) {
  dnnl::post_ops post_ops;
  if (epilogue.residual) post_ops.append_binary(dnnl::algorithm::binary_add, y);
  if (epilogue.activation != Activation::none && epilogue.activation != Activation::relu) {
    post_ops.append_eltwise(1.0f, algorithm_of(epilogue.activation), 0.0f, 0.0f);
  }
  return post_ops;
}

void add_arguments(Arguments& arguments, const Handle& handle, const Epilogue& epilogue,
                   const dnnl::memory::desc& bias, const dnnl::memory::desc& y) {
  if (epilogue.bias) {
    arguments.emplace(DNNL_ARG_BIAS, wrap(handle, bias, epilogue.bias.data));
  }
  if (epilogue.residual) {
    arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                      wrap(handle, y, epilogue.residual.data));
  }
}

}  // namespace burin::onednn
