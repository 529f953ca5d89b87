// Preloaded into Node: every nth operator new fails on the threads that the addon starts, n being
// STARVE_EVERY. Node's own code, which these threads call to wake JavaScript, gets its memory: Node ends the
// process where it has none.
#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace {

thread_local bool starved = false;
thread_local long count = 0;

long every() {
  static const long n = std::atol(std::getenv("STARVE_EVERY"));
  return n;
}

struct Start {
  void* (*run)(void*);
  void* argument;
};

void* begin(void* raw) {
  const Start start = *static_cast<Start*>(raw);
  std::free(raw);
  starved = true;
  return start.run(start.argument);
}

// Whether an address is in the file of that name.
bool isIn(const char* name, const void* address) {
  Dl_info found;
  return dladdr(address, &found) != 0 && std::strstr(found.dli_fname, name) != nullptr;
}

void* take(std::size_t bytes, const void* caller) {
  const bool ours = starved && (isIn("addon.node", caller) || isIn("libstdc++", caller));
  if (ours && ++count % every() == 0) return nullptr;
  return std::malloc(bytes > 0 ? bytes : 1);
}

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  // Node starts its threads without the standard library.
  if (!isIn("libstdc++", __builtin_return_address(0))) return create(thread, attributes, run, argument);
  auto* const start = static_cast<Start*>(std::malloc(sizeof(Start)));
  *start = {run, argument};
  return create(thread, attributes, begin, start);
}

void* operator new(std::size_t bytes) {
  void* const data = take(bytes, __builtin_return_address(0));
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return take(bytes, __builtin_return_address(0));
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }
