// Every op, family by family. Its place here is its number.
#pragma once

#include "ops/clip.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/optimizers.h"
#include "ops/pooling.h"
#include "ops/products.h"
#include "ops/random.h"
#include "ops/recurrent.h"
#include "ops/reductions.h"
#include "ops/rows.h"
#include "ops/softmax.h"

namespace packed_rnn {

using FewOps = Join<ProductOps, RowOps, PoolingOps, ElementOps, ReductionOps, RandomOps, LossOps, SoftmaxOps>;
using ManyOps = Join<RecurrentOps, ClipOps, OptimizerOps>;  // of many arguments
using Ops = Join<FewOps, ManyOps>;

namespace detail {
template <class... O>
consteval bool described(List<O...>) {
  return (Described<O>::value && ...);
}
static_assert(described(Ops{}));
}  // namespace detail

template <class O>
concept Listed = Ops::has<O>;
template <Listed O>
constexpr int idOf = Ops::indexOf<O>();

// A backend runs an op by its number: a table of these. Each backend declares once, in its namespace,
//   template <Listed O> void run(Kernels&, const O&);
// which is never defined but specialised for each op: a forgotten one does not link. It is hidden, because a
// shared library would link without it.
template <class K>
using Runner = void (*)(K&, const void*);

}  // namespace packed_rnn
