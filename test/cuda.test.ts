import { expect, test } from 'vitest'
import { cudaTarget, whyNoCuda } from './cuda.js'
import { pathSuites, productSuites, suites } from './suite/all.js'
import { randomCasesSuite } from './suite/randomCases.js'
import { randomOpsSuite } from './suite/randomOps.js'

/** On the library that PACKED_RNN_CUDA_LIBRARY names, or that lies beside the addon. */

const reason = whyNoCuda()
// Who names a library wants to see it tested.
const skips = reason !== null && !process.env.PACKED_RNN_CUDA_LIBRARY
test.skipIf(skips)(`cuda opens${reason === null ? '' : `: ${reason}`}`, () => {
  expect(reason).toBe(null)
})
if (reason === null) {
  const count = Number(process.env.PACKED_RNN_RANDOM_CASES ?? 24)
  for (const precision of ['float32', 'tf32', 'bfloat16'] as const) {
    const [first, second] = [cudaTarget(precision), cudaTarget(precision, 'stepwise')]
    // Beside products, ops compute in float32 at every precision.
    for (const suite of precision === 'float32' ? suites : productSuites) suite(first)
    randomCasesSuite([first, second], count)
    if (precision !== 'float32') continue
    for (const suite of pathSuites) suite(second)
    randomOpsSuite([first], count)
  }
}
