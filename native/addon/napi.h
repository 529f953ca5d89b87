// node-addon-api, as every file here includes it.
#pragma once

// A call from a worker that is being terminated fails and cannot throw: without this, that ends the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
// What the standard library throws in a call, out of memory or threads, becomes an error in JavaScript.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#include <napi.h>
