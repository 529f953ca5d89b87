// OLD(name, version): every call of the function in this binary calls that version of it. The linker would
// take the newest version on this machine, but it finds this jump first, which is hidden from other binaries.
// It needs no signature, so it also serves static libraries, whose calls our headers do not reach.
#pragma once

#define OLD(name, version)                                                                    \
  asm(".symver old_" #name ", " #name "@" version "\n.text\n.globl " #name "\n.hidden " #name \
      "\n.type " #name ", @function\n" #name ":\n  jmp *old_" #name                           \
      "@GOTPCREL(%rip)\n"                                                                     \
      ".size " #name ", .-" #name "\n")
