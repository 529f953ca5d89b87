// Writes what a program requests of the device to the file that PACKED_RNN_STANDIN_TRACE names: see
// scripts/trace.js.
#pragma once

#include <cstddef>

namespace standin {

// Appends a line: the request and its number of bytes.
void trace(const char* what, std::size_t bytes = 0);

}  // namespace standin
