# What burin takes from Debian 12 and Ubuntu, by purpose. Sourced by demo.sh and test.sh.
# shellcheck shell=bash disable=SC2034

# To build the library and the command.
build_packages=(g++ cmake ninja-build pkg-config libeigen3-dev libdnnl-dev
  libjpeg-dev libpng-dev libwebp-dev libstb-dev zlib1g-dev nlohmann-json3-dev libcli11-dev libmicrohttpd-dev)

# A real data set, for demo.sh and the tests.
data_packages=(dataset-fashion-mnist)

# To test: GoogleTest, curl and Python for the download tests, objdump.
test_packages=(libgtest-dev libbenchmark-dev curl python3-minimal binutils)

# A browser, where apt has one, and what reads a PDF: for the test of the web page and of a printed report.
browser_packages=(chromium chromium-driver python3 poppler-utils)

# What `test.sh --all` adds where apt has it: the second compiler, fuzzing, format and tidy checks.
all_packages=(clang libomp-dev libclang-rt-dev clang-format clang-tidy)
