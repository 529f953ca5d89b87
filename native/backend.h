// The seam between the addon and a device. A backend computes; it knows no Node, no queue and no tensor. What
// it computes are the ops of native/ops.
//
// Every method but `allocate`, `deallocate` and `memory` is called on one thread, the device's, in the order
// in which the ops were issued; `attach` is the first. A method returns when its work is computed (CPU) or
// launched in that order (CUDA). It throws on failure, and then nothing that it updates in place has changed,
// but for what a backward pass uses up. What a device finds later, it says when it is waited for: see
// `settle`.
//
// Pointers are the device's unless marked `host`. A shape stands in brackets, row-major, without padding. The
// caller owns every buffer. Nothing may alias unless the field says so. Optional pointers are null where they
// are absent. Counts and shapes are checked before they come here; indices made on the host are, too.
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

// A point in the order of ops. Whoever holds it destroys it, on any thread.
struct Mark {
  virtual ~Mark() = default;
};

struct MemoryUse {
  std::size_t held;    // bytes in buffers that somebody holds
  std::size_t cached;  // bytes kept for the next allocation
};

struct Backend {
  virtual ~Backend() = default;

  // The device's thread calls it once, before anything else: from then on denormals are zero there.
  virtual void attach() = 0;

  // Any thread. Throws Error ERR_OUT_OF_MEMORY. The bytes hold anything. 64-byte aligned.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void deallocate(void* data, std::size_t bytes) noexcept = 0;
  virtual MemoryUse memory() const noexcept = 0;

  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  // May return before `host` holds the bytes; `host` stays until `arrived` has returned true for it, or
  // thrown.
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  virtual std::size_t downloads() const = 0;  // under way
  // Whether the oldest download that was under way is over; with `wait`, when it is. Throws what the device
  // has found wrong with what was issued before it.
  virtual bool arrived(bool wait) = 0;
  virtual void synchronize() = 0;  // returns when all is computed
  // Of an op that left `refused`, after a wait or the arrival of a later download: whether it failed, and
  // why. `refused` then means nothing more.
  virtual bool settle(const std::int32_t* refused, Error& reason) = 0;

  // Behind all that was issued.
  virtual Mark* mark() = 0;
  // Of the device's own clock, between two of its marks; returns when both are reached.
  virtual double secondsBetween(const Mark& start, const Mark& end) = 0;

  // Computes the op that has this number in `Ops`; `arguments` is its struct.
  virtual void run(int op, const void* arguments) = 0;
  template <Listed O>
  void run(const O& op) {
    run(idOf<O>, &op);
  }

  // Floats in RecurrentForward::saved. Any thread.
  virtual std::int64_t recurrentSavedCount(const RecurrentShape&) const = 0;
};

// What products of matrices compute with: float32, or the rounded operands of a tensor core with float32
// sums.
enum class Precision : std::int32_t { float32, tf32, bfloat16 };

// A backend in a library of its own. The library exports one function,
//   extern "C" packed_rnn::Library* packed_rnn_open(const char* stamp),
// which returns null where `stamp` is not that of this header in the library's own build: then nothing of
// what is declared here may be called. What it returns lives as long as the process.
struct DeviceDescription {
  char name[256];
  int major, minor;    // compute capability
  std::size_t memory;  // bytes
};
struct DeviceOptions {
  int ordinal;
  Precision precision;
  bool stepwise;            // takes the second path of the recurrent ops, also where the first one serves
  std::size_t memoryLimit;  // bytes; 0: none
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
