# burin_plugin(TARGET SOURCES … LIBRARIES … OPTIONS …): one plug-in, lib<TARGET>.so, that exports
# burin_plugin() and nothing else. The version script, not -fvisibility=hidden, hides the rest: it also
# covers the inline code of the standard library, and leaves the typeinfo of burin::Error shared.
# The families use it, and with find_package(burin) so do plug-ins built elsewhere.
function(burin_plugin target)
  cmake_parse_arguments(PLUGIN "" "" "SOURCES;LIBRARIES;OPTIONS" ${ARGN})
  add_library(${target} MODULE ${PLUGIN_SOURCES})
  target_link_libraries(${target} PRIVATE burin::kernels ${PLUGIN_LIBRARIES})
  target_compile_options(${target} PRIVATE ${PLUGIN_OPTIONS})
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
  set_target_properties(${target} PROPERTIES BUILD_RPATH_USE_ORIGIN ON INSTALL_RPATH "$ORIGIN")
endfunction()
