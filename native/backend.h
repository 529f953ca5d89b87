// The seam between the addon and a device. A backend computes; it knows no Node, no queue and no tensor.
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

namespace packed_rnn {

// The reason that an op failed; `code` is one of the codes in src/errors.ts.
struct Error {
  const char* code;
  char message[256];
};

// What a backend makes of weights and uses again as long as they stay, such as packed forms. Whoever holds
// the weights also holds this: it is destroyed when one of them changes, and with them. Any thread may
// destroy it.
struct Kept {
  virtual ~Kept() = default;
};

// A point in the order of ops. Whoever holds it destroys it, on any thread.
struct Mark {
  virtual ~Mark() = default;
};

struct MemoryUse {
  std::size_t held;    // bytes in buffers that somebody holds
  std::size_t cached;  // bytes kept for the next allocation
};

// Sequences are rows back to back: sequence b is rows offsets[b] to offsets[b + 1].
struct Sequences {
  const std::int32_t* offsets;  // host [B + 1], not decreasing, offsets[0] = 0, offsets[B] = N
  std::int64_t count;           // B
};

// Row n of the input is distinct row index[n]. All three are null where the rows are not indexed.
struct RowIndex {
  const std::int32_t* index;  // [N], each in [0, U)
  const std::int32_t*
      starts;  // [U + 1]: the places of distinct row u are order[starts[u]] to order[starts[u + 1]]
  const std::int32_t* order;  // [N], ascending within a distinct row
};

// c = op(a) op(b) + bias, or c += op(a) op(b)
struct Matmul {
  std::int64_t m, n, k;
  const float* a;     // [m, k], or [k, m] where transposeA
  const float* b;     // [k, n], or [n, k] where transposeB
  const float* bias;  // [n], optional
  float* c;           // [m, n]
  bool transposeA, transposeB;
  bool accumulate;  // adds to what c holds; then bias is null
  Kept** kept;      // host [1], optional: where an op with the same b left what it made of b, or null
};

// destination[r] = source[index[r]], or `fill` where index[r] < 0
struct GatherRows {
  std::int64_t rows, columns, sourceRows;
  const float* source;        // [sourceRows, columns]
  const std::int32_t* index;  // [rows], each below sourceRows
  float fill;
  float* destination;  // [rows, columns]
};

// destination[u] = the sum of source[order[i]], i from starts[u] to starts[u + 1], in an order of additions
// that depends on starts alone
struct SumRows {
  std::int64_t rows, columns;
  const float* source;         // [*, columns]
  const std::int32_t* starts;  // [rows + 1]
  const std::int32_t* order;   // [starts[rows]]
  float* destination;          // [rows, columns]
};

// destination[index[r]] += source[r] where index[r] >= 0; such indices are distinct
struct AddRows {
  std::int64_t rows, columns;
  const float* source;        // [rows, columns]
  const std::int32_t* index;  // [rows]
  float* destination;         // [*, columns], updated
};

// sums[c] = the sum of source[r][c] over r
struct SumColumns {
  std::int64_t rows, columns;
  const float* source;  // [rows, columns]
  float* sums;          // [columns]
};

// destination[r][destinationOffset + c] = source[r][sourceOffset + c]; what lies beside it stays
struct CopyColumns {
  std::int64_t rows, columns;
  std::int64_t sourceStride, sourceOffset;            // the width of a row, and where the columns begin in it
  std::int64_t destinationStride, destinationOffset;  //
  const float* source;                                // [rows, sourceStride]
  float* destination;                                 // [rows, destinationStride], partly written
};

// pooled[b] = the largest of the rows of sequence b, column by column; 0 where it is empty. Of equals the
// first is taken, and a NaN is larger than every number.
struct MaxPool {
  Sequences sequences;  // B of N rows
  std::int64_t columns;
  const float* rows;     // [N, columns]
  float* pooled;         // [B, columns]
  std::int32_t* places;  // [B, columns]: the row that it was taken from, -1 for none
};
struct MaxPoolBackward {
  Sequences sequences;
  std::int64_t columns;
  const std::int32_t* places;  // [B, columns]
  const float* dPooled;        // [B, columns]
  float* dRows;                // [N, columns]
};

// pooled[b] = the mean of the rows of sequence b; 0 where it is empty
struct MeanPool {
  Sequences sequences;
  std::int64_t columns;
  const float* rows;  // [N, columns]
  float* pooled;      // [B, columns]
};
struct MeanPoolBackward {
  Sequences sequences;
  std::int64_t columns;
  const float* dPooled;  // [B, columns]
  float* dRows;          // [N, columns]
};

enum class Elementwise : std::int32_t {
  copy,             // a
  add,              // a + b
  multiply,         // a b
  scale,            // a b[0]
  tanh,             // tanh a, and so on: b is absent, as for copy
  sigmoid,          //
  relu,             //
  tanhBackward,     // b (1 - a²), where a is the forward result and b the gradient of it
  sigmoidBackward,  // b a (1 - a)
  reluBackward,     // b [a > 0]
};
struct ApplyElementwise {
  Elementwise function;
  std::int64_t count;
  const float* a;  // [count]
  const float* b;  // [count], or [1] for scale
  float* out;      // [count], may be a or b
};

struct Fill {
  std::int64_t count;
  float value;
  const float* from;  // [1], optional: the value stands on the device
  float* out;         // [count]
};

struct Sum {
  std::int64_t count;
  const float* values;  // [count]
  float* out;           // [1]
};

// y = x / (1 - p) where kept, else 0. An element is kept where its random integer is at least p 2³². The
// integer is Philox4x32-10 under key `seed` at (step, stream · directions + direction, sequence, t, unit), so
// a mask depends on nothing but the element's place. Forward and backward are the same op.
struct Dropout {
  std::int64_t rows, columns;  // N, directions · units
  std::int64_t directions;     // the halves of a row that count their units apart; 1 if there are none
  Sequences sequences;         // whose token a row is; count 0: row r is sequence r at t = 0
  std::uint64_t seed;
  std::uint32_t step, stream;
  float p;         // in [0, 1]
  const float* x;  // [rows, columns]
  float* y;        // [rows, columns], may be x
};

// loss = Σ over rows and classes of -target log softmax(logits), where a row's targets are s / classes for
// every class and 1 - s more for its label, each times the weight of the class; s = labelSmoothing. A row
// with the label `ignoreIndex` counts for nothing. `mean` divides by the sum of the weights of the labels.
struct CrossEntropy {
  std::int64_t rows, classes;
  const float* logits;         // [rows, classes]
  const std::int32_t* labels;  // [rows], each in [0, classes) or ignoreIndex
  const float* weight;         // [classes], optional: ones
  std::int32_t ignoreIndex;
  float labelSmoothing;  // in [0, 1]
  bool mean;
  float* loss;      // [1]
  float* gradient;  // [rows, classes]: of the loss in the logits; optional
};

enum class Cell : std::int32_t {
  lstm,           // gates i, f, g, o
  gru,            // gates r, z, n; the reset gate acts after the product, as in PyTorch
  resetFirstGru,  // gates r, z, n; it acts before
  elmanTanh,      // one
  elmanRelu,      // one
};

// One direction of one layer. G is the cell's number of gates; R, the size of h, is P where there is a
// projection (LSTM alone) and H where there is none.
struct RecurrentWeights {
  const float* wIh;  // [G·H, I]
  const float* wHh;  // [G·H, R]
  const float* bIh;  // [G·H], optional
  const float* bHh;  // [G·H], optional
  const float* wHr;  // [P, H], null unless projectionSize is not 0
};
struct RecurrentGradients {
  float* wIh;  // [G·H, I], optional like all of these
  float* wHh;  // [G·H, R]
  float* bIh;  // [G·H]
  float* bHh;  // [G·H]
  float* wHr;  // [P, H]
};

// One layer, one or two directions, over packed rows. Direction 1 reads each sequence from its end.
struct RecurrentShape {
  Cell cell;
  std::int64_t inputSize, hiddenSize, projectionSize, directions;  // I, H, P (0: none), D
  std::int64_t rows, distinctRows;  // N, U; equal where the rows are not indexed
  Sequences sequences;              // B of them
  RowIndex index;
};
// Of a cell without c (all but the LSTM) c0, cN and their gradients are null.
struct RecurrentForward {
  RecurrentShape shape;
  const float* x;  // [U, I]
  RecurrentWeights weights[2];
  const float* h0;  // [D, B, R], optional: zeros
  const float* c0;  // [D, B, H], optional: zeros
  float* output;    // [N, D·R]
  float* hN;        // [D, B, R]
  float* cN;        // [D, B, H]
  float* saved;  // [recurrentSavedCount], what a backward pass needs, in the backend's own layout; null: none
                 // follows
  Kept** kept;   // host [1], optional: where a forward pass with the same weights left what it made of them,
                 // or null
};
struct RecurrentBackward {
  RecurrentShape shape;
  const float* x;  // as in the forward pass, like every field down to saved
  RecurrentWeights weights[2];
  const float* h0;
  const float* c0;
  const float* output;
  float* saved;          // consumed: gate gradients overwrite the gates
  const float* dOutput;  // [N, D·R], optional: zeros; so are dHN and dCN
  const float* dHN;      // [D, B, R]
  const float* dCN;      // [D, B, H]
  float* dX;             // [U, I], optional
  RecurrentGradients gradients[2];
  float* dH0;   // [D, B, R], optional
  float* dC0;   // [D, B, H], optional
  Kept** kept;  // host [1], optional: as in the forward pass, of a backward pass
};

// Ops over many tensors at once: all change or none. Arrays are the host's, with one entry a tensor.

// Which rows of a table's gradient [V, I] a tensor [U, I] holds. The gradient of an embedding is kept so.
struct GradientRows {
  std::int64_t count, columns;  // U, I
  std::int64_t tableRows;       // V
  const std::int32_t* ids;  // [U], ascending, each once, in [0, V); null: the tensor is all of the gradient
};

// values *= min(1, maxNorm / (total + 1e-6)). NaN counts: a total with a NaN under it is NaN. Squares are
// added in the order that they have in the whole gradient, so that rows have the norm that the table would
// have.
struct ClipNorm {
  std::int64_t tensors;
  const std::int64_t* counts;  // host [tensors]
  float* const* values;        // host [tensors], each [counts[i]], updated
  const GradientRows* rows;    // host [tensors]
  float maxNorm;
  bool largest;  // total is the largest |x|, and else the 2-norm
  float* total;  // [1]: the norm over all, before
  // host [1], optional: then a total that is not finite fails the op with ERR_NON_FINITE, naming the tensor.
  // It throws, or leaves here where the device will say so, for `Stepped` and `settle`; then the values hold
  // anything. Of no more than kMostDoubts such ops the end may be open.
  const std::int32_t** refused;
};
constexpr int kMostDoubts = 64;
// values = min(max(values, -limit), limit); NaN stays
struct ClipValue {
  std::int64_t tensors;
  const std::int64_t* counts;  // host [tensors]
  float* const* values;        // host [tensors], each [counts[i]], updated
  float limit;                 // at least 0
};

// What every optimiser steps: the parameters that have a gradient, of all its groups.
struct Stepped {
  std::int64_t tensors;
  const std::int64_t* counts;     // host [tensors]
  float* const* parameters;       // host [tensors], each [counts[i]], updated
  const float* const* gradients;  // host [tensors], each [counts[i]]
  // host [tensors], each [1], updated: how many steps the parameter has taken, exact up to 2^24, where it
  // stays. It is the device's, so that a step that fails is not counted. An entry is null where the rule does
  // not ask.
  float* const* steps;
  const std::int32_t* refused;  // [1], optional: where it is not 0, the gradients failed, and nothing changes
};

// The rules are in cells.h. `options` has an entry for each tensor, that of its group.
struct SgdOptions {
  double learningRate, momentum, dampening, weightDecay;
  bool nesterov;
};
struct SgdStep {
  Stepped stepped;
  const SgdOptions* options;  // host [tensors]
  float* const* momenta;      // host [tensors], each [counts[i]], updated; null, like steps, without momentum
};

struct AdamOptions {
  double learningRate, beta1, beta2, epsilon, weightDecay;
  bool decoupled;  // AdamW: the decay acts on the parameter and not on the gradient
  bool amsgrad;
};
// One step in the numbers that it computes with, which cells.h makes of the options and t.
struct AdamScalars {
  float rate1, beta2, rate2;  // 1 - β₁, β₂, 1 - β₂
  float stepSize, rootCorrection, epsilon;
  float weightDecay, growth;          // λ in the gradient; -lr λ where the decay is outside of it
  float updateScale, epsilonSquared;  // see AdamRule::isNegligible
  float rest;  // the gradient of the rows that had none: 0, or NaN where clipping made it that
  std::int32_t amsgrad;
};
// The latest steps of a table. Where a gradient is in rows, a step is written down and only those rows make
// it; a row makes up for the steps that it missed, with their numbers and in their order, when it is stepped
// or read the next time, and so has the bits that a dense gradient gives it.
constexpr int kMostMissedSteps = 256;
struct MissedSteps {
  std::int32_t* count;   // [1]: steps in `scalars`
  std::int32_t* made;    // [V]: how many of them a row has made
  AdamScalars* scalars;  // [kMostMissedSteps]
};
// Rows of a table make all steps that are written down; after all rows have, they are forgotten.
struct AdamCatchUp {
  std::int64_t rows, columns;  // V, I
  float* parameter;            // [V, I], updated like all that follow
  float* mean;                 // [V, I]: m
  float* variance;             // [V, I]: v
  float* maximum;              // [V, I]: the largest v; null without amsgrad
  MissedSteps missed;
  std::int64_t count;       // of ids
  const std::int32_t* ids;  // [count], each once, in [0, V); null: all rows
};
struct AdamStep {
  Stepped stepped;
  const AdamOptions* options;  // host [tensors]
  float* const* means;         // host [tensors], each [counts[i]], updated: m
  float* const* variances;     // host [tensors], each [counts[i]], updated: v
  float* const* maxima;  // host [tensors], each [counts[i]], updated: the largest v; null without amsgrad
  // Where a gradient is in rows, stepped.gradients[i] is [U, I], and there are
  const GradientRows* rows;   // host [tensors]
  const float* const* rests;  // host [tensors], each [1]: AdamScalars::rest
  const MissedSteps* missed;  // host [tensors], updated: fewer than kMostMissedSteps before
};

struct AsgdOptions {
  double learningRate, lambda, alpha, t0, weightDecay;
};
struct AsgdStep {
  Stepped stepped;
  const AsgdOptions* options;  // host [tensors]
  float* const* averages;      // host [tensors], each [counts[i]], updated
  float* const* rates;  // host [tensors], each [1], updated: η of the next step; not read by the first
};

// Adagrad, and RMSprop, where the sum decays.
struct AdagradOptions {
  double learningRate, rateDecay, epsilon, weightDecay;
  double keep, add;  // sum = keep · sum + add · g²
  double initial;    // the sum before the first step
};
struct AdagradStep {
  Stepped stepped;
  const AdagradOptions* options;  // host [tensors]
  float* const* sums;             // host [tensors], each [counts[i]], updated; not read by the first step
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

  virtual void matmul(const Matmul&) = 0;
  virtual void gatherRows(const GatherRows&) = 0;
  virtual void sumRows(const SumRows&) = 0;
  virtual void addRows(const AddRows&) = 0;
  virtual void sumColumns(const SumColumns&) = 0;
  virtual void copyColumns(const CopyColumns&) = 0;
  virtual void maxPool(const MaxPool&) = 0;
  virtual void maxPoolBackward(const MaxPoolBackward&) = 0;
  virtual void meanPool(const MeanPool&) = 0;
  virtual void meanPoolBackward(const MeanPoolBackward&) = 0;
  virtual void elementwise(const ApplyElementwise&) = 0;
  virtual void fill(const Fill&) = 0;
  virtual void sum(const Sum&) = 0;
  virtual void dropout(const Dropout&) = 0;
  virtual void crossEntropy(const CrossEntropy&) = 0;
  virtual void recurrentForward(const RecurrentForward&) = 0;
  virtual void recurrentBackward(const RecurrentBackward&) = 0;
  virtual void clipNorm(const ClipNorm&) = 0;
  virtual void clipValue(const ClipValue&) = 0;
  virtual void sgdStep(const SgdStep&) = 0;
  virtual void adamStep(const AdamStep&) = 0;
  virtual void adamCatchUp(const AdamCatchUp&) = 0;
  virtual void asgdStep(const AsgdStep&) = 0;
  virtual void adagradStep(const AdagradStep&) = 0;

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
