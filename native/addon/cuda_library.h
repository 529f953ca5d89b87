// The CUDA backend's library, opened when somebody asks for such a device, and from then on never closed.
#pragma once

#include <string>

#include "backend.h"

namespace packed_rnn {

// Why there is no such device; `code` is one of the codes in src/errors.ts. Unlike Error it has room for
// paths.
struct Unavailable {
  std::string code;
  std::string message;
};

// The file that PACKED_RNN_CUDA_LIBRARY names, or else libpacked_rnn_cuda.so beside the addon; it need not be
// there.
std::string cudaLibraryPath();

// The same for all threads of the process. What did not open is tried again by the next call. Throws
// Unavailable ERR_CUDA_NO_LIBRARY or ERR_CUDA_WRONG_STAMP.
Library& cudaLibrary();

}  // namespace packed_rnn
