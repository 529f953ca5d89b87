#include "addon/kept.h"

#include <utility>

namespace packed_rnn {

bool KeptForms::drop() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (KeptForm* form : holding_) {
    any = any || form->kept_ != nullptr;
    delete std::exchange(form->kept_, nullptr);
  }
  holding_.clear();
  return any;
}

Kept** KeptForm::place(const Origin& origin) {
  if (origin != origin_) {
    drop();
    origin_ = origin;
    return nullptr;
  }
  const std::lock_guard lock(all_.mutex_);
  all_.holding_.insert(this);
  return &kept_;
}

void KeptForm::drop() {
  const std::lock_guard lock(all_.mutex_);
  all_.holding_.erase(this);
  delete std::exchange(kept_, nullptr);
}

}  // namespace packed_rnn
