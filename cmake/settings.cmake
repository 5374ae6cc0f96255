# Compiler settings shared by every target of the project.

include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(BURIN_OPTIMISE "-O2" CACHE STRING "Optimisation of all but kernels and pixels, which have their own")
set(BURIN_OPTIMISE_KERNELS "-O3" CACHE STRING "Optimisation of the cpu family")
set(CMAKE_CXX_FLAGS_RELEASE "${BURIN_OPTIMISE} -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# Headers are written "burin/tensor/tensor.h" inside and outside: links make the folders look like that.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include/burin)
foreach(folder kernels tensor nn models data apps)
  if(NOT EXISTS ${PROJECT_BINARY_DIR}/include/burin/${folder})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_BINARY_DIR}/include/burin/${folder}
         SYMBOLIC)
  endif()
endforeach()

# burin_public_headers(TARGET): what those who link TARGET need to include "burin/…".
function(burin_public_headers target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# burin_hide_foreign(TARGET): its copies of templates of Eigen and nlohmann's JSON stay its own. A program that uses
# them too, compiled with other flags, would else have the library run its copies.
function(burin_hide_foreign target)
  target_link_options(${target} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/library.map)
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/library.map)
endfunction()

# burin_precompile(TARGET [HEADER…]): with BURIN_PCH, the standard headers and the given ones are parsed once a
# target; a first build is then faster. Off by default, so that a missing #include shows.
function(burin_precompile target)
  if(BURIN_PCH)
    target_precompile_headers(${target} PRIVATE <algorithm> <array> <functional> <map> <memory> <sstream> <string>
                              <vector> ${ARGN})
  endif()
endfunction()

# Flags for our own code. Every target links burin_settings PRIVATE, so that they bind nobody else;
# third-party headers come in as SYSTEM.
add_library(burin_settings INTERFACE)
target_compile_options(burin_settings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:\
-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion;-fno-semantic-interposition>")
if(BURIN_WERROR)
  target_compile_options(burin_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
# What __FILE__ and Where name in a message is a file of the project, wherever that lies: an installed library
# tells nobody its builder's folders. Debuggers keep the whole paths.
foreach(folder ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include/burin)
  target_compile_options(burin_settings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fmacro-prefix-map=${folder}/=>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fmacro-prefix-map=${folder}/=>)
endforeach()
# clang warns where it does not vectorise a loop that may be: a remark, not a fault.
target_compile_options(burin_settings INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:Clang,AppleClang>>:-Wno-pass-failed>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(BURIN_X86_64 ON)
  # One -march per target: of two on a command line the last wins, and the order is not ours to choose.
  set(level $<TARGET_PROPERTY:BURIN_X86_64_LEVEL>)
  target_compile_options(burin_settings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v$<IF:$<BOOL:${level}>,${level},${BURIN_CPU_LEVEL}>>)
else()
  set(BURIN_X86_64 OFF)
endif()
if(BURIN_SANITIZE)
  target_compile_options(burin_settings INTERFACE
    -fsanitize=${BURIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # what sanitizers add confuses it, GCC's manual says
  target_link_options(burin_settings INTERFACE -fsanitize=${BURIN_SANITIZE})
endif()
if(BURIN_FUZZ)
  target_compile_options(burin_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The release and a hash of the contracts: a plug-in built against others is refused in words.
file(GLOB contract_headers CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/kernels/*.h ${PROJECT_SOURCE_DIR}/kernels/base/*.h)
set(contracts "")
foreach(header ${contract_headers})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(SHA256 ${header} hash)
  string(APPEND contracts ${hash})
endforeach()
string(SHA256 contracts_hash "${contracts}")
string(SUBSTRING ${contracts_hash} 0 16 BURIN_CONTRACTS_HASH)
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in
               ${PROJECT_BINARY_DIR}/generated/burin/version.h @ONLY)
