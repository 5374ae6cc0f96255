#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "burin/apps/json.h"

namespace burin::apps {

/// What a result may depend on besides its options, as pairs for people: release and revision,
/// compiler, CPU and the x86-64 level in use, threads, memory, families.
std::vector<std::pair<std::string, std::string>> system_facts();

void print_system(std::ostream& out);

/// The same for env.json; a command adds what else it knows.
Json system_json();

/// "AMD EPYC 7763 64-Core Processor"
std::string cpu_name();

}  // namespace burin::apps
