// Stand-in for CUDA's header of this name: the same .cu files, compiled by the host's compiler, run here on
// fibres.
#pragma once

#include "standin/device_functions.h"
#include "standin/fibres.h"
#include "standin/runtime_api.h"
#include "standin/vector_types.h"
