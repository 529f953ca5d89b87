// How the host's arithmetic takes denormals, for a while.
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

// For zeros, as kernels do that are compiled with -ftz=true. The thread may be one of JavaScript's, so its
// mode comes back.
struct FlushedDenormals : FloatMode {
  FlushedDenormals() { packed_rnn::flushDenormals(); }
};
// As they are, as tensor cores do.
struct KeptDenormals : FloatMode {
  KeptDenormals() { std::fesetenv(FE_DFL_ENV); }
};

}  // namespace standin
