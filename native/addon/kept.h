// What a backend derives from weights, such as packed forms, is kept with them until one of them changes.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_set>

#include "backend.h"

namespace packed_rnn {

class KeptForm;

// The kept forms of a device that hold memory.
class KeptForms {
 public:
  // Frees all of them. Returns whether that freed any memory.
  bool drop();

 private:
  friend class KeptForm;
  std::mutex mutex_;
  std::unordered_set<KeptForm*> holding_;
};

// What one op derived from one set of weights. Only the device's thread uses it, except for the destructor.
class KeptForm {
 public:
  // The contents that it was derived from, and the shape. A stamp identifies the contents of a buffer; 0: no
  // buffer.
  struct Origin {
    std::array<std::uint64_t, 10> stamps{};
    std::array<std::int64_t, 5> shape{};
    bool operator==(const Origin&) const = default;
  };

  explicit KeptForm(KeptForms& all) : all_(all) {}
  ~KeptForm() { drop(); }
  KeptForm(const KeptForm&) = delete;
  KeptForm& operator=(const KeptForm&) = delete;

  // Where the op finds and stores the form of that origin. Null if the origin differs from the last one:
  // weights that change after each use are not worth the memory.
  Kept** place(const Origin& origin);
  void drop();

 private:
  friend class KeptForms;
  KeptForms& all_;
  Origin origin_;
  Kept* kept_ = nullptr;
};

}  // namespace packed_rnn
