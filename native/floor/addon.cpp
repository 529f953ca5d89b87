// Functions that the addon calls and that have a newer version.
#include "floor/old.h"

OLD(dladdr, "GLIBC_2.2.5");
OLD(dlerror, "GLIBC_2.2.5");
OLD(dlopen, "GLIBC_2.2.5");
OLD(dlsym, "GLIBC_2.2.5");
OLD(pow, "GLIBC_2.2.5");
// std::condition_variable::wait
OLD(_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE, "GLIBCXX_3.4.11");
