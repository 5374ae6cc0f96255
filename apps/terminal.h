#pragma once

#include "burin/apps/options.h"

namespace burin::apps {

/// What stderr can show. Results go to stdout and never depend on this.
struct Terminal {
  bool bar = false;   // lines may be redrawn
  bool lines = true;  // else a line now and then
  bool color = false;
  bool unicode = false;  // else ASCII
  int width = 80;
};

/// From --progress, --color and --quiet, whether stderr is a terminal, NO_COLOR, TERM, the locale's
/// variables, and the terminal's width (COLUMNS where it can't be asked).
Terminal make_terminal(const Globals& globals);

}  // namespace burin::apps
