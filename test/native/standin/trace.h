// What a program asks of the device, written to the file that PACKED_RNN_STANDIN_TRACE names:
// scripts/trace.js.
#pragma once

#include <cstddef>

namespace standin {

// Appends a line: what was asked, and of how many bytes.
void trace(const char* what, std::size_t bytes = 0);

}  // namespace standin
