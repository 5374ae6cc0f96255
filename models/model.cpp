#include "burin/models/model.h"

#include "burin/models/head.h"

namespace burin::models {

Model::Model() = default;
Model::~Model() = default;

Tensor Model::features(const Tensor& x) {
  return other_head_ && other_head_->takes_map() ? extract_map(x) : extract(x);
}

Tensor Model::classify(const Tensor& features) {
  return other_head_ ? other_head_->forward(features) : own_head(features);
}

void Model::set_head(const std::string& spec, Generator& init, Generator& random) {
  other_head_ = spec == "linear"
                    ? nullptr
                    : std::make_unique<Head>(spec, feature_count(), classes, init, random);
}

std::string Model::head_spec() const {
  return other_head_ ? other_head_->spec : "linear";
}

std::string Model::adopt(std::vector<nn::NamedSource>& /*tensors*/) {
  return {};
}

Tensor Model::extract_map(const Tensor& /*x*/) {
  fail(architecture, ": has no features in space, which this head would pool",
       "\n  hint: --head linear, or a list such as --head 256,relu,drop0.3");
}

void Model::visit_head(nn::Visitor& v, std::string_view name, nn::Module& own) const {
  v.child(name, other_head_ ? static_cast<nn::Module&>(*other_head_) : own);
}

}  // namespace burin::models
