// A team of any size that computes only on the calling thread. For each phase it appends a line to the file
// that PACKED_RNN_PHASES names: tasks, seconds, seconds since the phase before, and the call's place. Seconds
// are CPU time of the thread: time that it waits, or that others use its core, does not count.
#include "cpu/team.h"

#include <dlfcn.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "cpu/flush.h"

namespace packed_rnn {

namespace {

double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The caller's place in the addon's file.
std::size_t placeOf(void* address) {
  Dl_info info;
  return dladdr(address, &info) == 0
             ? 0
             : static_cast<std::size_t>(static_cast<char*>(address) - static_cast<char*>(info.dli_fbase));
}

void note(std::int64_t tasks, double start, void* caller) {
  static std::FILE* const file = std::fopen(std::getenv("PACKED_RNN_PHASES"), "a");
  static double last = start;
  std::fprintf(file, "%lld %.9f %.9f %zx\n", static_cast<long long>(tasks), now() - start, start - last,
               placeOf(caller));
  std::fflush(file);
  last = now();
}

}  // namespace

Team::Team(int threads) : cores_(threads) {
  for (int worker = 1; worker < threads; worker++) members_.emplace_back();
}
Team::~Team() = default;

void Team::run(std::int64_t count, Task task, void* context) {
  const double start = now();
  for (std::int64_t t = 0; t < count; t++) task(context, t, static_cast<int>(t % size()));
  note(count, start, __builtin_return_address(0));
}

// Tasks that wait for each other cannot run one after the other.
void Team::runTogether(int count, Task task, void* context) {
  if (count > 1) std::abort();
  const double start = now();
  task(context, 0, 0);
  note(count, start, __builtin_return_address(0));
}

void Barrier::wait() {
  if (tasks_ > 1) std::abort();
}

}  // namespace packed_rnn
