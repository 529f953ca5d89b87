// Functions that the headers of GCC 12 need and the C and C++ libraries of 2018 lack, for this binary alone.
// The names are ours, and the linker's names are given beside them, because everything in namespace std is
// exported.
#include <new>

namespace packed_rnn {

// Whether libstdc++ may count references without atomic operations. Never is always right.
[[gnu::visibility("hidden")]] extern const char single_threaded asm("__libc_single_threaded");
const char single_threaded = 0;

// std::allocator calls this if more memory is requested than any address space holds.
[[noreturn, gnu::visibility("hidden")]] void badArrayNewLength() asm("_ZSt28__throw_bad_array_new_lengthv");
void badArrayNewLength() { throw std::bad_array_new_length(); }

}  // namespace packed_rnn
