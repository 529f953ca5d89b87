// OLD(name, version): whoever in this binary calls the function calls that version of it. The linker would
// take the newest that this machine has; it finds this jump first, which is hidden from others. It needs no
// signature, and so it serves static libraries too, whose calls no header of ours reaches.
#pragma once

#define OLD(name, version)                                                                    \
  asm(".symver old_" #name ", " #name "@" version "\n.text\n.globl " #name "\n.hidden " #name \
      "\n.type " #name ", @function\n" #name ":\n  jmp *old_" #name                           \
      "@GOTPCREL(%rip)\n"                                                                     \
      ".size " #name ", .-" #name "\n")
