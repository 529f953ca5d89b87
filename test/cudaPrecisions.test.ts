import { expect, test } from 'vitest'
import { cudaTarget, whyNoCuda } from './cuda.js'
import { pathSuites, productSuites } from './suite/all.js'
import { randomCasesSuite } from './suite/randomCases.js'

/** What depends on the precision of products and on the path of the recurrent ops. */

const reason = whyNoCuda()
test.skipIf(reason !== null)('cuda opens', () => expect(reason).toBeNull())
if (reason === null) {
  const count = Number(process.env.PACKED_RNN_RANDOM_CASES ?? 24)
  for (const precision of ['float32', 'tf32', 'bfloat16'] as const) {
    const [first, second] = [cudaTarget(precision), cudaTarget(precision, 'stepwise')]
    randomCasesSuite([first, second], count)
    // Beside products, ops compute in float32 at every precision; that suite is in cuda.test.ts.
    for (const suite of precision === 'float32' ? [] : productSuites) suite(first)
    for (const suite of precision === 'float32' ? pathSuites : []) suite(second)
  }
}
