// Switches from one stack to another.
#pragma once

extern "C" void standin_switch(void** save, void* load);

namespace standin {

// Returns a stack pointer for standin_switch to load, which then calls `entry`. `entry` never returns. `top`
// is the stack's end, 16-byte aligned.
void* freshStack(char* top, void (*entry)());

}  // namespace standin
