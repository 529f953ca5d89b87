// Every op, family by family. An op's position in these lists is its number.
#pragma once

#include "ops/attention.h"
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

using FewOps = Join<ProductOps, RowOps, PoolingOps, ElementOps, ReductionOps, RandomOps, LossOps, SoftmaxOps,
                    AttentionOps>;
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

// A backend keeps a table of these functions and runs an op by its number. Each backend declares once, in its
// namespace,
//   template <Listed O> void run(Backend&, const O&);
// The template is never defined, only specialised for each op. If one is missing, the backend does not link.
// The template is hidden, because a shared library would link without the missing function.
template <class K>
using Runner = void (*)(K&, const void*);

}  // namespace packed_rnn
