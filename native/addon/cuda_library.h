// The CUDA backend's library. It is opened when a CUDA device is first requested and never closed.
#pragma once

#include <string>

#include "backend.h"

namespace packed_rnn {

// Why a device is unavailable; `code` is one of the codes in src/errors.ts. Unlike Error it has room for
// paths.
struct Unavailable {
  std::string code;
  std::string message;
};

// The file that PACKED_RNN_CUDA_LIBRARY names, otherwise libpacked_rnn_cuda.so next to the addon. The file
// may be missing.
std::string cudaLibraryPath();

// Returns the same library to all threads of the process. If opening fails, the next call tries again. Throws
// Unavailable ERR_CUDA_NO_LIBRARY or ERR_CUDA_WRONG_STAMP.
Library& cudaLibrary();

}  // namespace packed_rnn
