// The way from the host's memory to the device's: a ring of pinned memory, so that a copy is asynchronous and
// its source may go at once.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace packed_rnn::cuda {

class Staging {
 public:
  Staging();
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // In stream order; returns when `host` has been read.
  void upload(cudaStream_t stream, void* destination, const void* host, std::size_t bytes);
  struct Download {
    void* host;
    std::size_t place, bytes;  // in `landing_`
    cudaEvent_t copied;
    std::int64_t checks;  // the caller's
  };
  // In stream order. What is small travels on when this has returned, which is true then: `host` holds it
  // when `arrived` says so.
  bool download(cudaStream_t stream, void* host, const void* source, std::size_t bytes, std::int64_t checks);
  std::size_t downloads() const { return downloads_.size(); }
  const Download& first() const { return downloads_.front(); }
  const Download& last() const { return downloads_.back(); }
  bool arrived(bool wait);  // the oldest of them; it is over also where this throws

 private:
  struct Piece {
    std::uint64_t begin;
    cudaEvent_t copied;
  };
  // A place where `bytes` may be written; waits while a copy still reads there.
  std::uint64_t reserve(std::size_t bytes);
  void retire();
  cudaEvent_t event();

  std::byte* ring_ = nullptr;
  std::uint64_t next_ = 0;    // places are counted on and on; the ring has the place modulo its length
  std::deque<Piece> pieces_;  // under way, oldest first
  std::byte* landing_ = nullptr;
  std::size_t landed_ = 0;  // where the next download lands; places are used again when none is under way
  std::deque<Download> downloads_;
  std::vector<cudaEvent_t> events_;  // free
};

}  // namespace packed_rnn::cuda
