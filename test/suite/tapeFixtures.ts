import { describe, expect, test } from 'vitest'
import { batchNorm } from '../../src/ops/norms.js'
import { scope } from '../../src/scope.js'
import { tensor } from '../../src/tensor.js'
import { expectClose } from './compare.js'
import { fixtureTensor, readFixtures, type TapeFixture, tapeCase } from './fixtures.js'
import { weightedSum } from './op.js'
import { describeCase, type Float, floats, PLAIN, results, runCall } from './tape.js'
import { tapeCalls } from './tapeCalls.js'
import { everywhere, products, type Target, type Tolerance, UNIT } from './target.js'

/**
 * The values and gradients of PyTorch in float64, also where it has a choice: at corners and among equal numbers.
 *
 * Functions are to 4 units in the last place, and sums of them have up to 12 terms.
 */
const FEW: Tolerance = everywhere(16 * UNIT)
/** Differences from a mean over a root, and gradients that are differences of such. */
const NORMS: Tolerance = everywhere(32 * UNIT)
/** Sums of 4 products near 1. */
const PRODUCTS: Tolerance = products(8 * UNIT)

export function tapeFixturesSuite(target: Target): void {
  const { cases, running } = readFixtures('tape.json')
  describe(`PyTorch’s values of the tape’s ops on ${target.name}`, () => {
    // Not test.each, which truncates long names; some cases differ only in their numbers.
    for (const [n, fixture] of cases.entries()) {
      test(`case ${n}: ${describeCase(fixture.op, tapeCase(fixture))}`, () =>
        scope(() => expectFixture(target, fixture)))
    }

    test.each(running)('running statistics at momentum $momentum', async fixture => {
      await scope(async () => {
        const device = target.open()
        const held = (values: number[]) => tensor<1>(values, [values.length], { device })
        const [runningMean, runningVar] = [held(fixture.runningMean.data), held(fixture.runningVar.data)]
        const { momentum } = fixture
        batchNorm(fixtureTensor(target, fixture.x, 2), { runningMean, runningVar, momentum, training: true })
        expectClose(await runningMean.toArray(), fixture.newMean.data, 8 * UNIT, 'mean')
        expectClose(await runningVar.toArray(), fixture.newVar.data, 8 * UNIT, 'variance')
      })
    })
  })
}

function toleranceOf(op: string): Tolerance {
  if (['matmul', 'bmm'].includes(op)) return PRODUCTS
  return op.endsWith('Norm') ? NORMS : FEW
}

async function expectFixture(target: Target, fixture: TapeFixture): Promise<void> {
  const { op, inputs = {}, outputs, dOutputs = [], gradients = {} } = fixture
  const tolerance = toleranceOf(op)[target.precision]
  const device = target.open()
  const leaves = new Map<string, Float>()
  const found = runCall(tapeCalls[op]!, tapeCase(fixture), device, (name, shape) => {
    const leaf = tensor<number>(inputs[name]!.data, shape, { device, requiresGrad: true })
    leaves.set(name, leaf)
    return leaf
  })
  for (const [i, y] of results(found).entries()) {
    expect([...y.shape]).toEqual(outputs[i]!.shape)
    // Integers must be equal. Numbers near 0 are differences of numbers near 1 and have their errors.
    const allowed = PLAIN.has(op) ? 0 : tolerance
    expectClose(await y.toArray(), outputs[i]!.data, allowed, `output ${i}`, 1)
  }
  if (dOutputs.length === 0) return
  const weights = dOutputs.map(({ data }) => Float32Array.from(data))
  weightedSum(floats(found), weights).backward()
  for (const [name, { data }] of Object.entries(gradients)) {
    const { grad } = leaves.get(name)!
    expectClose(await grad!.toArray(), data, tolerance, `d ${name}`, 1)
    grad!.dispose()
  }
}
