// From one stack to another.
#pragma once

extern "C" void standin_switch(void** save, void* load);

namespace standin {

// A stack pointer for standin_switch to load, from where it calls `entry`, which never returns. `top` is the
// stack's end, 16-byte aligned.
void* freshStack(char* top, void (*entry)());

}  // namespace standin
