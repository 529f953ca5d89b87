#include "addon/cuda_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace packed_rnn {

namespace {

constexpr const char* kVariable = "PACKED_RNN_CUDA_LIBRARY";
constexpr const char* kName = "libpacked_rnn_cuda.so";

const char* namedFile() {
  const char* named = std::getenv(kVariable);
  return named == nullptr || *named == '\0' ? nullptr : named;
}

std::string absolute(const char* path) {
  char* resolved = realpath(path, nullptr);
  if (resolved == nullptr) return path;
  const std::string result = resolved;
  std::free(resolved);
  return result;
}

// Removes the file's name from the beginning of dlopen's message.
std::string reasonOf(const std::string& file, const char* words) {
  const std::string reason = words == nullptr ? "the loader gives no reason" : words;
  return reason.rfind(file + ": ", 0) == 0 ? reason.substr(file.size() + 2) : reason;
}

Library* open() {
  const std::string file = cudaLibraryPath();
  if (access(file.c_str(), F_OK) != 0) {
    if (namedFile() != nullptr)
      throw Unavailable{"ERR_CUDA_NO_LIBRARY",
                        std::string(kVariable) + ": wanted a file, got " + file + ", where there is none"};
    throw Unavailable{"ERR_CUDA_NO_LIBRARY",
                      "there is no CUDA library " + file +
                          ": run `npm run build:cuda` in a checkout, which needs CUDA's compiler, nvcc"};
  }
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw Unavailable{"ERR_CUDA_NO_LIBRARY",
                      "the CUDA library " + file + " does not load: " + reasonOf(file, dlerror())};
  const auto entry = reinterpret_cast<Library* (*)(const char*)>(dlsym(library, "packed_rnn_open"));
  if (entry == nullptr)
    throw Unavailable{"ERR_CUDA_NO_LIBRARY",
                      file + " is a library, and none of packed-rnn's: it has no packed_rnn_open"};
  Library* const opened = entry(PACKED_RNN_STAMP);
  if (opened == nullptr)
    throw Unavailable{
        "ERR_CUDA_WRONG_STAMP",
        "the CUDA library " + file + " and the addon were built from different sources: build both again"};
  return opened;
}

}  // namespace

std::string cudaLibraryPath() {
  // For a name without a slash dlopen searches other folders.
  if (const char* named = namedFile(); named != nullptr) return absolute(named);
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&cudaLibraryPath), &self) == 0) return kName;
  const std::string addon = self.dli_fname;
  return addon.substr(0, addon.rfind('/') + 1) + kName;
}

Library& cudaLibrary() {
  static Library& library = *open();
  return library;
}

}  // namespace packed_rnn
