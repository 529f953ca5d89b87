// The configuration with which every file here includes node-addon-api.
#pragma once

// A call from a worker that is being terminated fails and cannot throw. Without this, it would end the
// process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
// Exceptions of the standard library, for lack of memory or threads, become JavaScript errors.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#include <napi.h>
