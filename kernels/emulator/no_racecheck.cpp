#include "burin/kernels/emulator/observer.h"

namespace burin::emulator {

void race_check_begin(unsigned /*first_interval*/) {}
void race_check_access(const void* /*address*/, size_t /*bytes*/, bool /*write*/) {}
void race_check_end() {}

}  // namespace burin::emulator
