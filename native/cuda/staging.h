// Copies between host and device through pinned memory. A ring of it makes uploads asynchronous, and the
// source may be freed at once.
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
    std::int64_t checks;  // set by the caller
  };
  // In stream order. Returns true for a small download, which is still in progress: `host` holds the data
  // after `arrived` has returned true.
  bool download(cudaStream_t stream, void* host, const void* source, std::size_t bytes, std::int64_t checks);
  std::size_t downloads() const { return downloads_.size(); }
  const Download& first() const { return downloads_.front(); }
  const Download& last() const { return downloads_.back(); }
  bool arrived(bool wait);  // for the oldest download, which is removed even if this throws

 private:
  struct Piece {
    std::uint64_t begin;
    cudaEvent_t copied;
  };
  // Returns a place where `bytes` may be written. Waits while a copy still reads there.
  std::uint64_t reserve(std::size_t bytes);
  void retire();
  cudaEvent_t event();

  std::byte* ring_ = nullptr;
  std::uint64_t next_ = 0;    // places increase forever; the ring's place is the remainder by its length
  std::deque<Piece> pieces_;  // in progress, oldest first
  std::byte* landing_ = nullptr;
  std::size_t landed_ = 0;  // where the next download goes; reset when no download is in progress
  std::deque<Download> downloads_;
  std::vector<cudaEvent_t> events_;  // free
};

}  // namespace packed_rnn::cuda
