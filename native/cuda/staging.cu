#include <algorithm>
#include <cstring>

#include "launch.h"
#include "staging.h"

namespace packed_rnn::cuda {

namespace {
constexpr std::size_t kRing = std::size_t{16} << 20;
constexpr std::size_t kMostAtOnce = kRing / 4;  // so that the next piece is filled while this one is copied
constexpr std::size_t kLine = 256;
constexpr std::size_t kLanding = std::size_t{4} << 20;
constexpr std::size_t kSmall = kLanding / 16;
}  // namespace

Staging::Staging() {
  PACKED_RNN_CHECK(cudaMallocHost(reinterpret_cast<void**>(&ring_), kRing));
  PACKED_RNN_CHECK(cudaMallocHost(reinterpret_cast<void**>(&landing_), kLanding));
}

Staging::~Staging() {
  for (const Piece& piece : pieces_) {
    cudaEventSynchronize(piece.copied);
    cudaEventDestroy(piece.copied);
  }
  for (const Download& download : downloads_) {
    cudaEventSynchronize(download.copied);
    cudaEventDestroy(download.copied);
  }
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  cudaFreeHost(ring_);
  cudaFreeHost(landing_);
}

void Staging::retire() {
  const Piece piece = pieces_.front();
  PACKED_RNN_CHECK(cudaEventSynchronize(piece.copied));
  pieces_.pop_front();
  events_.push_back(piece.copied);
}

std::uint64_t Staging::reserve(std::size_t bytes) {
  std::uint64_t begin = next_;
  if (begin % kRing + bytes > kRing) begin = (begin / kRing + 1) * kRing;
  // A piece that began more than a ring before the end of this one is still in its place.
  while (!pieces_.empty() && pieces_.front().begin + kRing < begin + bytes) retire();
  next_ = begin + bytes;
  return begin;
}

cudaEvent_t Staging::event() {
  cudaEvent_t made;
  if (events_.empty()) {
    PACKED_RNN_CHECK(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    return made;
  }
  made = events_.back();
  events_.pop_back();
  return made;
}

void Staging::upload(cudaStream_t stream, void* destination, const void* host, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kMostAtOnce) {
    const std::size_t piece = std::min(bytes - done, kMostAtOnce);
    const std::uint64_t begin = reserve((piece + kLine - 1) / kLine * kLine);
    std::memcpy(ring_ + begin % kRing, static_cast<const std::byte*>(host) + done, piece);
    PACKED_RNN_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(destination) + done, ring_ + begin % kRing,
                                     piece, cudaMemcpyHostToDevice, stream));
    const cudaEvent_t copied = event();
    PACKED_RNN_CHECK(cudaEventRecord(copied, stream));
    pieces_.push_back({begin, copied});
  }
}

bool Staging::download(cudaStream_t stream, void* host, const void* source, std::size_t bytes,
                       std::int64_t checks) {
  if (downloads_.empty()) landed_ = 0;
  if (bytes <= kSmall && landed_ + bytes <= kLanding) {
    std::byte* const place = landing_ + landed_;
    const cudaEvent_t copied = event();
    PACKED_RNN_CHECK(cudaMemcpyAsync(place, source, bytes, cudaMemcpyDeviceToHost, stream));
    PACKED_RNN_CHECK(cudaEventRecord(copied, stream));
    downloads_.push_back({host, landed_, bytes, copied, checks});
    landed_ += (bytes + kLine - 1) / kLine * kLine;
    return true;
  }
  for (std::size_t done = 0; done < bytes; done += kMostAtOnce) {
    const std::size_t piece = std::min(bytes - done, kMostAtOnce);
    const std::uint64_t begin = reserve((piece + kLine - 1) / kLine * kLine);
    PACKED_RNN_CHECK(cudaMemcpyAsync(ring_ + begin % kRing, static_cast<const std::byte*>(source) + done,
                                     piece, cudaMemcpyDeviceToHost, stream));
    PACKED_RNN_CHECK(cudaStreamSynchronize(stream));
    std::memcpy(static_cast<std::byte*>(host) + done, ring_ + begin % kRing, piece);
  }
  return false;
}

bool Staging::arrived(bool wait) {
  const Download download = downloads_.front();
  const cudaError_t status = wait ? cudaEventSynchronize(download.copied) : cudaEventQuery(download.copied);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // clears the error, which is not sticky
    return false;
  }
  downloads_.pop_front();
  events_.push_back(download.copied);
  check(status, wait ? "cudaEventSynchronize" : "cudaEventQuery", __FILE__, __LINE__);
  std::memcpy(download.host, landing_ + download.place, download.bytes);
  return true;
}

}  // namespace packed_rnn::cuda
