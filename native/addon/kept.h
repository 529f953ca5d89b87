// What a backend makes of weights, such as packed forms, stays beside them until one of them changes.
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

// What one op made of one set of weights. The device's thread alone, but for the destructor.
class KeptForm {
 public:
  // The contents that it was made from, and for which shape. A stamp names the contents of a buffer; 0: no
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

  // Where the op finds the form of that origin and leaves it. Null if the origin differs from the last one:
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
