import { expect, test } from 'vitest'
import { cudaTarget, whyNoCuda } from './cuda.js'
import { suites } from './suite/all.js'
import { randomOpsSuite } from './suite/randomOps.js'

/**
 * The suite in float32, on the library that PACKED_RNN_CUDA_LIBRARY names or that lies beside the addon. cudaPrecisions.test.ts has the
 * other precisions and the second path: two files, because a process runs a file.
 */

const reason = whyNoCuda()
// If a library is named, it must be tested.
const skips = reason !== null && !process.env.PACKED_RNN_CUDA_LIBRARY
test.skipIf(skips)(`cuda opens${reason === null ? '' : `: ${reason}`}`, () => {
  expect(reason).toBe(null)
})
if (reason === null) {
  const target = cudaTarget('float32')
  for (const suite of suites) suite(target)
  randomOpsSuite([target], Number(process.env.PACKED_RNN_RANDOM_CASES ?? 24))
}
