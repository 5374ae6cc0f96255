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

# CUDA 12 or later: nvcc, and the runtime as a static library, so that a plug-in loads without CUDA.
set(BURIN_HAVE_CUDA OFF)
if(BURIN_CUDA)
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)  # seldom on the PATH
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES 90 CACHE STRING "GPUs to build for, with PTX for later ones")
    enable_language(CUDA)
    # CMake 3.25 does not know how to ask nvcc 13 for C++20.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    find_package(CUDAToolkit 12)
    set(BURIN_HAVE_CUDA ${CUDAToolkit_FOUND})
  endif()
endif()
if(NOT BURIN_HAVE_CUDA)
  message(STATUS "cuda family: not built (-DBURIN_CUDA=ON and the CUDA toolkit, 12 or later, build it)")
endif()

# The emulator needs nothing but a switch of stacks in assembler, which is written for one kind of CPU.
set(BURIN_HAVE_EMULATOR OFF)
if(NOT BURIN_EMULATOR)
  message(STATUS "emulator family: not built (-DBURIN_EMULATOR=ON builds it)")
elseif(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  message(STATUS "emulator family: not built (its fibers are written for x86-64)")
else()
  set(BURIN_HAVE_EMULATOR ON)
endif()
