// The part that the CPU backends of all instruction sets share: memory, copies and the team. Compiled once,
// for any CPU.
#pragma once

#include "backend.h"
#include "cpu/allocator.h"
#include "cpu/team.h"

namespace packed_rnn {

struct CpuOptions {
  int threads;
  std::size_t memoryLimit;  // bytes; 0: no limit
};

// Compiled once, for any CPU.
class CpuKept : public Kept {
 public:
  CpuKept();
  ~CpuKept() override;
  static void free(Kept* kept);
};

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options);
  ~CpuBackend() override;

  void attach() override;
  void* allocate(std::size_t bytes) override;
  void deallocate(void* data, std::size_t bytes) noexcept override;
  MemoryUse memory() const noexcept override;
  void upload(void* destination, const void* host, std::size_t bytes) override;
  void download(void* host, const void* source, std::size_t bytes) override;
  void synchronize() override;
  Mark* mark() override;
  double secondsBetween(const Mark& start, const Mark& end) override;
  // Ops and copies have finished when they return.
  std::size_t downloads() const override;
  bool arrived(bool) override;
  bool settle(const std::int32_t*, Error&) override;

  Team& team() { return team_; }
  // Lists the sequences that are not empty, the longest first, so that the last one to start is the shortest.
  // Of equal lengths the earlier comes first. Returns how many were written to `places` [B].
  static std::int64_t longestFirst(const Sequences& sequences, std::int32_t* places);
  // Throws ERR_OUT_OF_RANGE unless low <= value < high for each value that is not `except`.
  static void checkRange(const char* what, const std::int32_t* values, std::int64_t count, std::int64_t low,
                         std::int64_t high, std::int64_t except = INT64_MIN);
  // Throws ERR_NON_FINITE for an infinity or NaN in values[tensor].
  static void checkNorm(float norm, std::int64_t tensor);

 private:
  Allocator allocator_;
  Team team_;
};

// The speed of this machine's arithmetic and memory at the moment. Times are reported as shares of it.
struct CpuCeilings {
  double flopsOfOne;  // operations a second of one thread; a fused multiply-add counts as two
  double flopsOfAll;  // of the whole team
  double bandwidth;   // bytes a second of the team through a = b + s c, two read and one written
};

// The CPU backends of all instruction sets and precisions, the best first.
struct CpuCandidate {
  const char* name;  // of the instruction set
  Precision precision;
  bool (*supported)();
  Backend* (*open)(const CpuOptions&);
  CpuCeilings (*measure)(Backend&);  // of a backend that `open` returned; takes about 50 ms
};
extern const CpuCandidate kCpuCandidates[];
extern const int kCpuCandidateCount;

// The first candidate of that precision that this CPU supports, or the one for the instruction set that
// `forced` (PACKED_RNN_CPU) names. Throws Error ERR_DEVICE_UNAVAILABLE if there is none.
const CpuCandidate& chooseCpu(const char* forced, Precision precision);

}  // namespace packed_rnn
