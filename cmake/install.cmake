# The package: libraries, plug-ins beside them, headers, and what find_package(burin) reads. The build
# folder is a package too: -Dburin_DIR=<build> works without installing.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/burin)
set(libraries burin_kernels)
if(TARGET burin)
  list(APPEND libraries burin)
endif()
set_target_properties(burin_kernels PROPERTIES EXPORT_NAME kernels)
set_target_properties(${libraries} PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  INSTALL_RPATH "$ORIGIN")
install(TARGETS ${libraries} EXPORT burin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# Of kernels/ only the contracts and the vocabulary: families and cases are nobody's to include.
set(headers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/burin FILES_MATCHING PATTERN "*.h")
install(DIRECTORY kernels tensor nn models data ${headers} REGEX "/kernels/[^/.]+$" EXCLUDE)
install(DIRECTORY kernels/base DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/burin/kernels
        FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/generated/burin/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/burin)

export(EXPORT burin NAMESPACE burin:: FILE burinTargets.cmake)
install(EXPORT burin NAMESPACE burin:: FILE burinTargets.cmake DESTINATION ${package_folder})
configure_package_config_file(cmake/burinConfig.cmake.in ${PROJECT_BINARY_DIR}/burinConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/burinConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
file(COPY cmake/plugin.cmake cmake/plugin.map DESTINATION ${PROJECT_BINARY_DIR})
install(FILES ${PROJECT_BINARY_DIR}/burinConfig.cmake ${PROJECT_BINARY_DIR}/burinConfigVersion.cmake
              cmake/plugin.cmake cmake/plugin.map
        DESTINATION ${package_folder})
