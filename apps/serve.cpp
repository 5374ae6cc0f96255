#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/model_options.h"
#include "burin/apps/printable.h"
#include "burin/apps/serve/api.h"
#include "burin/apps/serve/server.h"
#include "burin/apps/stop.h"
#include "burin/apps/table.h"
#include "burin/apps/wait_policy.h"
#include "burin/tensor/context.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

struct ServeOptions {
  std::vector<std::string> models;
  ModelOptions common;  // but for the file
  std::string host = "127.0.0.1";
  int port = 8000;
  std::vector<std::string> allowed_hosts;
  std::string examples;
  std::string max_upload = "10M";
  int queue = 64;
  int batch_size = 16;
  int connections_per_client = 64;
  bool metrics = false;
};

/// "10M", "500k" or a number of bytes; 0 if it is none of these.
int64_t bytes_of(const std::string& text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == 0 || digits > 9) return 0;
  const int64_t number = std::stoll(text.substr(0, digits));
  const std::string unit = text.substr(digits);
  if (unit.empty()) return number;
  if (unit == "k" || unit == "K") return number << 10;
  if (unit == "M") return number << 20;
  return 0;
}

/// What a model is called in the API: its run's name, or its file's; a number after it where that
/// is taken.
std::string name_for(const std::string& given, const std::set<std::string>& taken) {
  fs::path path = fs::absolute(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.parent_path().filename() == "weights") path = path.parent_path().parent_path();
  const std::string stem = fs::is_directory(path) ? path.filename().string() : path.stem().string();
  std::string name = stem;
  for (int i = 2; taken.contains(name); ++i) name = str(stem, '-', i);
  return name;
}

/// Loads the models that are named, in their order.
ApiContent load_content(const ServeOptions& options, const Session& session,
                        ServeMetrics& metrics) {
  if (options.models.empty()) {
    throw Failure(exit_usage, "no model given", "-m runs/train/exp, or -m FILE");
  }
  ApiContent content;
  std::set<std::string> names;
  for (const std::string& given : options.models) {
    const HttpClock::time_point start = HttpClock::now();
    ModelOptions one = options.common;
    one.file = given;
    LoadedModel loaded = load_model(one, session);
    const std::string name = name_for(given, names);
    names.insert(name);
    const std::chrono::duration<double> seconds = HttpClock::now() - start;
    content.cards.push_back(make_card(name, loaded, seconds.count() * 1000));
    auto classifier = std::make_unique<Classifier>(std::move(loaded));
    content.models.push_back(
        std::make_shared<const ServedModel>(ServedModel{name, std::move(classifier)}));
    metrics.model_loaded(name, seconds.count());
    synchronize(content.models.back()->classifier->device());
  }
  return content;
}

void print_welcome(const ServeOptions& options, const ApiContent& content, int port) {
  for (const ServedModelCard& card : content.cards) {
    std::cout << printable(card.name) << "  " << card.architecture << ", "
              << fixed(static_cast<double>(card.parameters) / 1e6, 2) << "M params, "
              << card.classes.size() << " classes, " << card.device << '\n';
  }
  const bool v6 = options.host.find(':') != std::string::npos;
  const bool alone =
      options.host == "127.0.0.1" || options.host == "::1" || options.host == "localhost";
  std::cout << "listening at http://" << (v6 ? "[" + options.host + "]" : options.host) << ':'
            << port
            << (alone ? "  (this machine only; --host 0.0.0.0 lets others in)"
                      : "  (others can connect; put a proxy with TLS in front)")
            << "\nCtrl-C stops it" << std::endl;
}

int run_serve(const ServeOptions& options, const Session& session) {
  ApiLimits limits;
  limits.upload_bytes = bytes_of(options.max_upload);
  ServeMetrics metrics;
  ApiContent content = load_content(options, session, metrics);
  content.examples = load_examples(options.examples, limits.upload_bytes);
  content.allowed_hosts = options.allowed_hosts;
  content.metrics = options.metrics;

  release_compute_threads();  // those that loaded the models: the queue's thread has its own
  ModelQueueOptions queue_options;
  queue_options.capacity = static_cast<size_t>(options.queue);
  queue_options.batch = static_cast<size_t>(options.batch_size);
  ModelQueue queue(queue_options, content.models, metrics);
  ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.connections_per_client = options.connections_per_client;

  std::signal(SIGPIPE, SIG_IGN);
  catch_interrupts();
  ApiServer api(content, limits, queue, metrics);
  const std::unique_ptr<HttpServer> server = start_server(server_options, api);
  print_welcome(options, content, server->port());
  while (!stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));

  if (!session.globals.quiet) std::cerr << "stopping: requests under way are finished\n";
  api.stop_being_ready();
  server->stop();
  return exit_ok;
}

}  // namespace

Command serve_command() {
  const auto options = std::make_shared<ServeOptions>();
  Command command("serve", "Results", "a web page and a JSON API for a model");
  command.details =
      "burin serve -m runs/train/exp --examples photos/\n"
      "burin serve -m resnet.safetensors vit.safetensors --host 0.0.0.0 --port 80\n"
      "curl -F image=@photo.jpg http://127.0.0.1:8000/api/v1/predict";
  command.heading("Model");
  command.add("-m,--model-file", &options->models,
              "model files or folders of runs; of several, the page lets one choose");
  add_inference_options(command, options->common);
  command.heading("Server");
  command.add("--host", &options->host, "where to listen: an address of this machine");
  command.add("--port", &options->port, "likewise; 0: a free one", between(0, 65535));
  command.add("--allow-host", &options->allowed_hosts,
              "further names by which clients may ask for it, such as faces.example.org");
  command.add("--examples", &options->examples, "folder with images that the page offers to try");
  command.add("--metrics", &options->metrics, "serve /metrics for Prometheus");
  command.heading("Limits");
  command.add("--max-upload", &options->max_upload, "of one request: 10M, 500k or bytes",
              {"a size such as 10M", [](const std::string& text) {
                 return bytes_of(text) > 0 && bytes_of(text) <= 1 << 30;
               }});
  command.add("--queue", &options->queue, "images that may wait for the model", between(1, 100000));
  command.add("-b,--batch-size", &options->batch_size, "images the model is given at once",
              between(1, 1024));
  command.add("--per-client", &options->connections_per_client,
              "connections that one address may have, but for a proxy on this machine",
              at_least(1));
  command.run = [options](const Session& session) { return run_serve(*options, session); };
  return command;
}

}  // namespace burin::apps
