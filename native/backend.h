// The interface between the addon and a device. A backend computes the ops of native/ops. It does not depend
// on Node, queues or tensors.
//
// Every method except `allocate`, `deallocate` and `memory` is called on one thread, the device's, in the
// order in which the ops were issued. `attach` is the first. A method returns when its work is computed (CPU)
// or launched in that order (CUDA). It throws on failure. Then nothing that it updates in place has changed,
// except what a backward pass consumes. Errors that a device finds later are thrown by the method that waits
// for it: see `settle`.
//
// Pointers are the device's unless marked `host`. A shape is in brackets, row-major, without padding. The
// caller owns every buffer. Buffers must not overlap unless the field says so. Absent optional pointers are
// null. Counts and shapes are checked before a backend receives them, and so are indices made on the host.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/all.h"

namespace packed_rnn {

// The reason that an op failed; `code` is one of the codes in src/errors.ts.
struct Error {
  const char* code;
  char message[256];
};

// A point in the order of ops. Its owner destroys it, on any thread.
struct Mark {
  virtual ~Mark() = default;
};

struct MemoryUse {
  std::size_t held;    // bytes in buffers that are in use
  std::size_t cached;  // bytes kept for the next allocation
};

struct Backend {
  virtual ~Backend() = default;

  // The device's thread calls this once, before anything else. From then on denormals are zero on that
  // thread.
  virtual void attach() = 0;

  // Any thread. Throws Error ERR_OUT_OF_MEMORY. The contents are undefined. 64-byte aligned.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void deallocate(void* data, std::size_t bytes) noexcept = 0;
  virtual MemoryUse memory() const noexcept = 0;

  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  // May return before `host` holds the bytes. `host` must stay valid until `arrived` has returned true for it
  // or thrown.
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  virtual std::size_t downloads() const = 0;  // in progress
  // Whether the oldest download has arrived; with `wait`, waits for it. Throws what the device has found
  // wrong with earlier ops.
  virtual bool arrived(bool wait) = 0;
  virtual void synchronize() = 0;  // returns when all is computed
  // For an op that set `refused`, after a wait or the arrival of a later download: whether it failed, and
  // why. `refused` is invalid afterwards.
  virtual bool settle(const std::int32_t* refused, Error& reason) = 0;

  // After all issued work.
  virtual Mark* mark() = 0;
  // By the device's clock, between two of its marks; returns when both are reached.
  virtual double secondsBetween(const Mark& start, const Mark& end) = 0;

  // Computes the op with this number in `Ops`; `arguments` points to its struct.
  virtual void run(int op, const void* arguments) = 0;
  template <Listed O>
  void run(const O& op) {
    run(idOf<O>, &op);
  }

  // Floats in RecurrentForward::saved. Any thread.
  virtual std::int64_t recurrentSavedCount(const RecurrentShape&) const = 0;
};

// The precision of matrix products: float32, or the rounded operands of a tensor core with float32 sums.
enum class Precision : std::int32_t { float32, tf32, bfloat16 };

// A backend in a separate library. The library exports one function,
//   extern "C" packed_rnn::Library* packed_rnn_open(const char* stamp),
// which returns null if `stamp` differs from the stamp of this header in the library's own build. In that
// case nothing that is declared here may be called. The returned library lives as long as the process.
struct DeviceDescription {
  char name[256];
  int major, minor;    // compute capability
  std::size_t memory;  // bytes
};
struct DeviceOptions {
  int ordinal;
  Precision precision;
  bool stepwise;            // takes the second path of the recurrent ops, even if the first one would serve
  std::size_t memoryLimit;  // bytes; 0: no limit
};
struct Library {
  virtual ~Library() = default;
  // Any thread. The number of devices, at least 1. Throws Error ERR_CUDA_NO_DRIVER, ERR_CUDA_DRIVER_TOO_OLD
  // or ERR_CUDA_NO_DEVICE, with the reason in a sentence.
  virtual int count() = 0;
  // Any thread, 0 <= ordinal < count(). Throws Error ERR_CUDA_DEVICE_TOO_OLD.
  virtual DeviceDescription describe(int ordinal) = 0;
  // Throws what count and describe throw. The caller owns the backend.
  virtual Backend* open(const DeviceOptions&) = 0;
};

}  // namespace packed_rnn
