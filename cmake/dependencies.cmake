# What is taken from outside. Required here; what only one folder needs is looked for in that folder.

find_package(OpenMP REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_path(EIGEN_INCLUDE_DIR Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)

# oneDNN: find_package(dnnl) fails without OpenCL headers on Debian, so look for the files.
find_path(ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(ONEDNN_LIBRARY dnnl)
set(BURIN_HAVE_ONEDNN OFF)
if(NOT BURIN_ONEDNN OR NOT ONEDNN_INCLUDE_DIR OR NOT ONEDNN_LIBRARY)
  message(STATUS "onednn family: not built (install libdnnl-dev for it)")
else()
  file(STRINGS ${ONEDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h version REGEX "define DNNL_VERSION_M")
  string(REGEX MATCH "VERSION_MAJOR +([0-9]+)" _ "${version}")
  if(CMAKE_MATCH_1 EQUAL 2)
    set(BURIN_HAVE_ONEDNN ON)
  else()
    message(STATUS "onednn family: not built (written for oneDNN 2, found ${CMAKE_MATCH_1})")
  endif()
endif()
