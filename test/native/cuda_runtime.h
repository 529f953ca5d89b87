// Stand-in for CUDA's header of this name. The host's compiler compiles the same .cu files, and they run here
// on fibres.
#pragma once

#include "standin/device_functions.h"
#include "standin/fibres.h"
#include "standin/runtime_api.h"
#include "standin/vector_types.h"
