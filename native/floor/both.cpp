// What the headers of GCC 12 ask of the C and C++ libraries, and those of 2018 do not have: for this binary
// alone. The names are ours, with the linker's beside, because all that stands in namespace std is exported.
#include <new>

namespace packed_rnn {

// Whether libstdc++ may count references without atomic operations: never, which is always right.
[[gnu::visibility("hidden")]] extern const char single_threaded asm("__libc_single_threaded");
const char single_threaded = 0;

// std::allocator's, where it is asked for more than any address space holds.
[[noreturn, gnu::visibility("hidden")]] void badArrayNewLength() asm("_ZSt28__throw_bad_array_new_lengthv");
void badArrayNewLength() { throw std::bad_array_new_length(); }

}  // namespace packed_rnn
