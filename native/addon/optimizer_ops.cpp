// The ops of backend.h over many tensors at once: clipping, and a step of an optimiser with all its groups.
// One step is one op, so that a gradient that failed in one group keeps every group from stepping.
#include "addon/ops.h"

namespace packed_rnn {

namespace {

// Tensors for a host array of addresses, which are known when the op runs.
class TensorList {
 public:
  TensorList() = default;
  explicit TensorList(const std::vector<Argument>& tensors) { add(tensors, tensors.size()); }

  // A group's tensors; of none, as many that are absent.
  void add(std::vector<Argument> tensors, std::size_t count) {
    if (tensors.empty()) tensors.resize(count);
    tensors_.insert(tensors_.end(), tensors.begin(), tensors.end());
  }
  std::int64_t size() const { return static_cast<std::int64_t>(tensors_.size()); }
  float* const* addresses() {
    addresses_.clear();
    for (const Argument& tensor : tensors_) addresses_.push_back(tensor.floats());
    return addresses_.data();
  }
  const std::int64_t* counts() {
    counts_.clear();
    for (const Argument& tensor : tensors_) counts_.push_back(tensor.count());
    return counts_.data();
  }

 private:
  std::vector<Argument> tensors_;
  std::vector<float*> addresses_;
  std::vector<std::int64_t> counts_;
};

// What every optimiser's op is given, group by group.
template <class Options>
class SteppedGroups {
 public:
  // The group that `call` stands at; returns how many tensors it has.
  std::size_t add(Call& call, const Options& options) {
    call.op().heedsDoubt = true;
    const std::vector<Argument> parameters = call.updateAll("parameters");
    const std::size_t count = parameters.size();
    parameters_.add(parameters, count);
    gradients_.add(call.readAll("gradients"), count);
    steps_.add(call.updateAll("steps"), count);
    options_.insert(options_.end(), count, options);
    return count;
  }
  Stepped stepped(const Queue& queue) {
    return {parameters_.size(),     parameters_.counts(), parameters_.addresses(),
            gradients_.addresses(), steps_.addresses(),   queue.refused()};
  }
  const Options* options() const { return options_.data(); }

 private:
  TensorList parameters_, gradients_, steps_;
  std::vector<Options> options_;
};

// Of each gradient, which rows of a table it holds, if it is in rows.
class RowsList {
 public:
  // The entry that `call` stands at.
  void add(Call& call) {
    ids_.push_back(call.read("ids"));
    shapes_.push_back({static_cast<std::int64_t>(call.number("tableRows")),
                       static_cast<std::int64_t>(call.number("columns"))});
  }
  const GradientRows* rows() {
    rows_.clear();
    for (std::size_t i = 0; i < ids_.size(); i++)
      rows_.push_back({ids_[i].count(), shapes_[i].columns, shapes_[i].tableRows, ids_[i].integers()});
    return rows_.data();
  }

 private:
  struct Shape {
    std::int64_t tableRows, columns;
  };
  std::vector<Argument> ids_;
  std::vector<Shape> shapes_;
  std::vector<GradientRows> rows_;
};

// How MissedSteps lie in one buffer of 32-bit words: scalars, count, made.
static_assert(sizeof(AdamScalars) == 12 * sizeof(float), "src/native.ts counts words too");
MissedSteps missedSteps(const Argument& buffer) {
  if (buffer.floats() == nullptr) return {};
  auto* const scalars = reinterpret_cast<AdamScalars*>(buffer.floats());
  auto* const count = reinterpret_cast<std::int32_t*>(scalars + kMostMissedSteps);
  return {count, count + 1, scalars};
}

void clipNorm(Queue& queue, Call& call) {
  TensorList values(call.updateAll("values"));
  RowsList rows;
  call.each("rows", [&] { rows.add(call); });
  const Argument total = call.write("total");
  const auto maxNorm = static_cast<float>(call.number("maxNorm"));
  const bool largest = call.flag("largest"), mustBeFinite = call.flag("mustBeFinite");
  // Nobody may step along gradients that were refused: unlike what other ops update, they fail with the op.
  if (mustBeFinite) {
    call.writeAll("values");
    call.op().doubt = std::make_shared<Doubt>();
  }
  Doubt* const doubt = call.op().doubt.get();
  call.submit(queue, [=](Backend& backend) mutable {
    backend.clipNorm({values.size(), values.counts(), values.addresses(), rows.rows(), maxNorm, largest,
                      total.floats(), doubt == nullptr ? nullptr : &doubt->refused});
  });
}

void clipValue(Queue& queue, Call& call) {
  TensorList values(call.updateAll("values"));
  const auto limit = static_cast<float>(call.number("limit"));
  call.submit(queue, [=](Backend& backend) mutable {
    backend.clipValue({values.size(), values.counts(), values.addresses(), limit});
  });
}

void sgdStep(Queue& queue, Call& call) {
  SteppedGroups<SgdOptions> groups;
  TensorList momenta;
  call.each("groups", [&] {
    const std::size_t count =
        groups.add(call, {call.number("lr"), call.number("momentum"), call.number("dampening"),
                          call.number("weightDecay"), call.flag("nesterov")});
    momenta.add(call.updateAll("momenta"), count);
  });
  call.submit(queue, [=, &queue](Backend& backend) mutable {
    backend.sgdStep({groups.stepped(queue), groups.options(), momenta.addresses()});
  });
}

void adamStep(Queue& queue, Call& call) {
  SteppedGroups<AdamOptions> groups;
  TensorList means, variances, maxima, rests;
  RowsList rows;
  std::vector<Argument> missed;
  call.each("groups", [&] {
    const std::size_t count =
        groups.add(call, {call.number("lr"), call.number("beta1"), call.number("beta2"), call.number("eps"),
                          call.number("weightDecay"), call.flag("decoupled"), call.flag("amsgrad")});
    means.add(call.updateAll("means"), count);
    variances.add(call.updateAll("variances"), count);
    maxima.add(call.updateAll("maxima"), count);
    call.each("rows", [&] {
      rows.add(call);
      rests.add({call.read("rest")}, 1);
      // The last of what is updated: where it has memory, so has all else.
      missed.push_back(call.update("missed"));
    });
  });
  call.submit(queue, [=, &queue](Backend& backend) mutable {
    std::vector<MissedSteps> steps;
    for (const Argument& buffer : missed) steps.push_back(missedSteps(buffer));
    backend.adamStep({groups.stepped(queue), groups.options(), means.addresses(), variances.addresses(),
                      maxima.addresses(), rows.rows(), rests.addresses(), steps.data()});
  });
}

void adamCatchUp(Queue& queue, Call& call) {
  AdamCatchUp a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  const Argument parameter = call.borrow("parameter"), mean = call.borrow("mean"),
                 variance = call.borrow("variance"), maximum = call.borrow("maximum"),
                 missed = call.borrow("missed");
  const Argument ids = call.read("ids");
  call.submit(queue, [=](Backend& backend) mutable {
    if (missed.floats() == nullptr) return;  // no step had memory
    a.parameter = parameter.floats();
    a.mean = mean.floats();
    a.variance = variance.floats();
    a.maximum = maximum.floats();
    a.missed = missedSteps(missed);
    a.count = ids.count();
    a.ids = ids.integers();
    backend.adamCatchUp(a);
  });
}

void asgdStep(Queue& queue, Call& call) {
  SteppedGroups<AsgdOptions> groups;
  TensorList averages, rates;
  call.each("groups", [&] {
    const std::size_t count =
        groups.add(call, {call.number("lr"), call.number("lambda"), call.number("alpha"), call.number("t0"),
                          call.number("weightDecay")});
    averages.add(call.updateAll("averages"), count);
    rates.add(call.updateAll("rates"), count);
  });
  call.submit(queue, [=, &queue](Backend& backend) mutable {
    backend.asgdStep({groups.stepped(queue), groups.options(), averages.addresses(), rates.addresses()});
  });
}

void adagradStep(Queue& queue, Call& call) {
  SteppedGroups<AdagradOptions> groups;
  TensorList sums;
  call.each("groups", [&] {
    const std::size_t count = groups.add(
        call, {call.number("lr"), call.number("lrDecay"), call.number("eps"), call.number("weightDecay"),
               call.number("keep"), call.number("add"), call.number("initialAccumulator")});
    sums.add(call.updateAll("sums"), count);
  });
  call.submit(queue, [=, &queue](Backend& backend) mutable {
    backend.adagradStep({groups.stepped(queue), groups.options(), sums.addresses()});
  });
}

}  // namespace

void defineOptimizerOps(Napi::Env env, Napi::Object exports) {
  define<clipNorm>(env, exports, "clipNorm");
  define<clipValue>(env, exports, "clipValue");
  define<sgdStep>(env, exports, "sgdStep");
  define<adamStep>(env, exports, "adamStep");
  define<adamCatchUp>(env, exports, "adamCatchUp");
  define<asgdStep>(env, exports, "asgdStep");
  define<adagradStep>(env, exports, "adagradStep");
}

}  // namespace packed_rnn
