// Sets how the host's arithmetic treats denormals, for a scope.
#pragma once

#include <cfenv>

#include "cpu/flush.h"

namespace standin {

class FloatMode {
 public:
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;
  ~FloatMode() { std::fesetenv(&before_); }

 protected:
  FloatMode() { std::fegetenv(&before_); }

 private:
  std::fenv_t before_;
};

// As zeros, like kernels that are compiled with -ftz=true. The thread may belong to JavaScript, so its mode
// is restored.
struct FlushedDenormals : FloatMode {
  FlushedDenormals() { packed_rnn::flushDenormals(); }
};
// Unchanged, as tensor cores do.
struct KeptDenormals : FloatMode {
  KeptDenormals() { std::fesetenv(FE_DFL_ENV); }
};

}  // namespace standin
