// faults NAME [planted]: runs one of them, with its fault or without.
#include <cstring>

#include "harness.h"

void packed_rnn::cuda::check(cudaError_t status, const char* statement, const char* file, int line) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s:%d: error: %s: %s\n", file, line, statement, cudaGetErrorString(status));
  std::exit(1);
}

int main(int count, char** arguments) {
  const bool planted = count == 3 && std::strcmp(arguments[2], "planted") == 0;
  for (const Fault* fault = Fault::first; fault != nullptr && count > 1; fault = fault->next)
    if (std::strcmp(fault->name, arguments[1]) == 0) return fault->run(planted);
  std::fprintf(stderr, "wanted the name of a fault%s\n", count > 1 ? ", there is none of that name" : "");
  return 2;
}
