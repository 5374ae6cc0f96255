# What is taken from outside. Required here; what only one folder needs is looked for in that folder.

find_package(OpenMP REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_path(EIGEN_INCLUDE_DIR Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)

# oneDNN: find_package(dnnl) fails without OpenCL headers on Debian, so look for the files.
find_path(ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(ONEDNN_LIBRARY dnnl)
if(BURIN_ONEDNN AND ONEDNN_INCLUDE_DIR AND ONEDNN_LIBRARY)
  set(BURIN_HAVE_ONEDNN ON)
else()
  set(BURIN_HAVE_ONEDNN OFF)
  message(STATUS "onednn family: not built (install libdnnl-dev for it)")
endif()
