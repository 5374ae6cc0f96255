# cmake -D SOURCE=… -D OUTPUT=… -P revision.cmake: writes the revision of the sources into a header, where
# it has changed. Run at each build: a hash taken when CMake configured would soon name another state.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND git describe --always --dirty --exclude=*
                WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE revision ERROR_QUIET
                OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT revision)
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#pragma once

namespace burin::apps {

inline constexpr const char* revision = \"@revision@\";

}  // namespace burin::apps
")
