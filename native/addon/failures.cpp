#include "addon/failures.h"

#include <new>
#include <utility>

namespace packed_rnn {

std::string Sizes::text() const {
  std::string text;
  for (std::size_t i = 0; i < count_; i++) {
    if (i > 0) text += ", ";
    text += std::string(sizes_[i].name) + " " + std::to_string(sizes_[i].value);
  }
  return text;
}

std::string LaunchedOps::text() const {
  if (count_ == settled_) return "";
  const std::uint64_t first = count_ - settled_ > latest_.size() ? count_ - latest_.size() : settled_;
  std::string text = "; launched since the last wait: ";
  if (first > settled_) text += std::to_string(first - settled_) + " ops, ";
  for (std::uint64_t i = first; i < count_; i++) {
    const Launched& op = latest_[i % latest_.size()];
    if (i > first) text += ", ";
    text += std::string(op.name) + "(" + op.sizes.text() + ")";
  }
  return text;
}

Failures::Failures()
    : speechless_(std::make_shared<Failure>(0, "ERR_OUT_OF_MEMORY", "the host has no memory left")) {
  kept_.reserve(kMost);
}

FailurePointer Failures::add(std::uint64_t number, const char* code, const char* op, const Sizes& sizes,
                             const char* message, const LaunchedOps* launched) noexcept {
  FailurePointer failure;
  try {
    std::string text = std::string(op) + "(" + sizes.text() + "): " + message;
    if (launched != nullptr) text += launched->text();
    failure = std::make_shared<Failure>(number, code, std::move(text));
  } catch (const std::bad_alloc&) {
    failure = speechless_;
    failure->observed = false;
  }
  if (kept_.size() == kMost) {
    std::erase_if(kept_, [](const FailurePointer& each) { return each->observed.load(); });
  }
  if (kept_.size() == kMost) {
    kept_.back() = failure;
    dropped_++;
  } else {
    kept_.push_back(failure);
  }
  return failure;
}

FailurePointer Failures::take() noexcept {
  FailurePointer first;
  for (const FailurePointer& failure : kept_) {
    if (failure->observed) continue;
    if (first == nullptr || failure->number < first->number) first = failure;
  }
  kept_.clear();
  const std::uint64_t dropped = std::exchange(dropped_, 0);
  if (first == nullptr) return nullptr;
  first->observed = true;
  if (dropped == 0) return first;
  try {
    return std::make_shared<Failure>(
        first->number, first->code,
        first->message + "; further failures, not kept: " + std::to_string(dropped));
  } catch (const std::bad_alloc&) {
    return first;
  }
}

}  // namespace packed_rnn
