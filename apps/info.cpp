#include <iostream>
#include <memory>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/system_info.h"
#include "burin/apps/table.h"
#include "burin/kernels/plugin.h"
#include "burin/models/catalog.h"
#include "burin/tensor/random.h"

namespace burin::apps {
namespace {

struct InfoOptions {
  std::string model;
  bool system = false;
  bool models = false;
};

void print_models() {
  Table table({"model", ">parameters", ">input", ""});
  for (const models::CatalogEntry& entry : models::catalog()) {
    Generator generator(0);
    const auto model = models::make_model(entry.name, 1000, generator);
    table.add({entry.name, fixed(static_cast<double>(nn::parameter_count(*model)) * 1e-6, 2) + " M",
               str(entry.input_size), entry.description});
  }
  table.print(std::cout);
  std::cout << "\nParameters with a head for 1000 classes.\n";
}

int run_info(const InfoOptions& options) {
  if (options.models) {
    print_models();
  } else {
    print_system(std::cout);
  }
  return exit_ok;
}

}  // namespace

Command info_command() {
  const auto options = std::make_shared<InfoOptions>();
  Command command("info", "Files", "what a model file holds, which models there are, this machine");
  command.add("model", &options->model, "a model file, or a name from --models");
  command.add("--system", &options->system, "this machine and the families that are loaded");
  command.add("--models", &options->models, "the architectures that can be trained");
  command.run = [options](const Session&) { return run_info(*options); };
  return command;
}

}  // namespace burin::apps
