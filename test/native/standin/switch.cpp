// standin_switch(save, load) pushes the callee-saved registers on the current stack, stores its pointer in
// *save, and continues where `load` stopped. swapcontext would also work, but makes two system calls a
// switch.
#include "standin/switch.h"

#include <cstddef>

#if defined(__x86_64__)
asm(R"(
  .text
  .globl standin_switch
  .hidden standin_switch
  .type standin_switch, @function
standin_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size standin_switch, . - standin_switch
)");
#elif defined(__aarch64__)
asm(R"(
  .text
  .globl standin_switch
  .hidden standin_switch
  .type standin_switch, %function
standin_switch:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size standin_switch, . - standin_switch
)");
#else
#error "the stand-in switches stacks on x86-64 and aarch64"
#endif

namespace standin {

void* freshStack(char* top, void (*entry)()) {
  void** pointer = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
  *--pointer = nullptr;  // the return address of entry: a backtrace ends here
  *--pointer = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--pointer = nullptr;
#else
  pointer -= 20;
  for (int i = 0; i < 20; i++) pointer[i] = nullptr;
  pointer[11] = reinterpret_cast<void*>(entry);
#endif
  return pointer;
}

}  // namespace standin
