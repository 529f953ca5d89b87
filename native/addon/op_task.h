// An op of native/ops in a queue, derived from its description.
#pragma once

#include "addon/queue.h"

namespace packed_rnn {

// One list of an op. Its buffers are in `held`, from `first` on.
struct ListHeld {
  std::size_t first = 0, count = 0;
  std::vector<void*> addresses;
};

template <class F>
constexpr bool kIsOffsets = false;
template <auto m>
constexpr bool kIsOffsets<Offsets<m>> = true;
template <auto m>
constexpr bool kIsOffsets<Optional<Offsets<m>>> = true;

template <class O>
struct OpTask final : Task {
  // The number of buffers outside of lists; buffers of directions count twice.
  static constexpr std::size_t kFixed = [] {
    std::size_t count = 0;
    O::Fields::each([&]<class F> {
      if constexpr (IsBuffer<F>) count += Field<F>::copies;
    });
    return count;
  }();
  static constexpr std::size_t kLists = [] {
    std::size_t count = 0;
    O::Fields::each([&]<class F> { count += IsList<F> ? 1 : 0; });
    return count;
  }();
  static constexpr bool kHasLists = kLists > 0;
  static constexpr std::size_t kOffsets = [] {
    std::size_t count = 0;
    O::Fields::each([&]<class F> { count += kIsOffsets<F> ? 1 : 0; });
    return count;
  }();

  O op{};
  std::array<Held, kFixed> fixed;
  std::vector<Held> listed;  // the lists' buffers, then those outside of lists: one span for the queue
  std::array<ListHeld, kLists> lists;
  std::array<std::vector<std::int32_t>, kOffsets> offsets;
  std::vector<std::vector<std::int64_t>> sizes64;  // of Counts and Extents64
  std::vector<std::byte> structs;

  const char* name() const override { return O::name; }
  void addSizes(Sizes& sizes) const override {
    O::Fields::each([&]<class F> { add(sizes, F{}); });
  }
  std::span<Held> held() override {
    if constexpr (kHasLists) {
      return listed;
    } else {
      return fixed;
    }
  }
  void run(Queue& queue) override {
    std::size_t at = 0, list = 0;
    O::Fields::each([&]<class F> {
      if constexpr (IsBuffer<F>) point(F{}, at);
      if constexpr (IsList<F>) pointList<F>(lists[list++]);
    });
    if constexpr (requires { op.nothingToDo(); }) {
      if (op.nothingToDo()) return;
    }
    O::Fields::each([&]<class F> { bring(queue, F{}); });
    queue.backend().run(op);
  }

 private:
  template <class F>
  void point(F, std::size_t& at) {
    using D = Field<F>;
    for (int copy = 0; copy < D::copies; copy++) {
      const BufferPointer& buffer = fixed[at++].buffer;
      auto* const data = buffer == nullptr ? nullptr : static_cast<typename D::Element*>(buffer->data);
      auto* const begin = data == nullptr ? nullptr : data + D::offset(op);
      if constexpr (requires { D::partMember; }) {
        (op.*D::member)[copy].*D::partMember = begin;
      } else {
        op.*D::member = begin;
      }
    }
  }
  template <class F>
  void pointList(ListHeld& list) {
    list.addresses.clear();
    for (std::size_t i = 0; i < list.count; i++) {
      const BufferPointer& buffer = listed[list.first + i].buffer;
      list.addresses.push_back(buffer == nullptr ? nullptr : buffer->data);
    }
    op.*Field<F>::member = reinterpret_cast<TypeOf<Field<F>::member>>(list.addresses.data());
  }

  template <auto m>
  void bring(Queue& queue, Keeps<m>) {
    op.*m = nullptr;
    if (!op.keeps()) return;
    KeptForm::Origin origin{{}, op.keptShape()};
    std::size_t at = 0, n = 0;
    Buffer* holder = nullptr;
    O::Fields::each([&]<class F> {
      if constexpr (IsBuffer<F>) {
        for (int copy = 0; copy < Field<F>::copies; copy++, at++) {
          if constexpr (O::KeptOf::template has<F>) {
            const BufferPointer& buffer = fixed[at].buffer;
            if (holder == nullptr) holder = buffer.get();
            origin.stamps[n++] = buffer == nullptr ? 0 : buffer->stamp;
          }
        }
      }
    });
    op.*m = queue.kept(detail::keeperOf<O>(Ops{}), *holder, origin);
  }
  template <auto m>
  void bring(Queue& queue, Heeds<m>) {
    op.*m = queue.refused();
  }
  template <auto m, auto flag>
  void bring(Queue&, Doubts<m, flag>) {
    op.*m = doubt == nullptr ? nullptr : &doubt->refused;
  }
  template <class F>
  void bring(Queue&, F) {}

  template <auto m>
  void add(Sizes& sizes, Extent<m>) const {
    sizes.add(nameOf<m>(), op.*m);
  }
  template <auto m>
  void add(Sizes& sizes, Length<m>) const {
    sizes.add(nameOf<m>(), op.*m);
  }
  template <auto m>
  void add(Sizes& sizes, Choice<m>) const {
    sizes.add(nameOf<m>(), static_cast<std::int64_t>(op.*m));
  }
  template <class F>
  void add(Sizes&, F) const {}
};

}  // namespace packed_rnn
