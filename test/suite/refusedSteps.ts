import { describe, expect, test } from 'vitest'
import { add, scale } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { Adam, clipGradNorm, clipGradValue, type Optimizer, SGD } from '../../src/optim/index.js'
import { PackedIds } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { expectSameBits } from './compare.js'
import { leaf, optimizerOf, type Parameter, rules, setGradient } from './parameter.js'
import type { Target } from './target.js'

/** Steps with gradients that are not finite, which a device may detect long after the step was issued. */
export function refusedStepsSuite(target: Target): void {
  describe(`failed steps on ${target.name}`, () => {
    everyRule(target)
    whatElseReads(target)
  })
}

const REFUSED = { code: 'ERR_NON_FINITE' }
const finite = { errorIfNonfinite: true }

/** Issues a step without awaiting it. It fails if its gradients are not finite. */
function step(optimizer: Optimizer<{ lr: number }, string>, parameters: readonly Parameter[]): void {
  clipGradNorm(parameters, 10, finite).dispose()
  optimizer.step()
}

const values = (length: number, by: number) => Float32Array.from({ length }, (_, i) => Math.sin(by * (i + 1)))

function everyRule(target: Target): void {
  const run = async (rule: (typeof rules)[number], refused: boolean) => {
    const device = target.open()
    const parameters = [5, 9001].map(n => leaf(device, values(n, 1)))
    const optimizer = optimizerOf(rule, parameters)
    for (const by of [2, Number.NaN, 3, Number.NaN, 4]) {
      if (Number.isNaN(by) && !refused) continue
      for (const [i, p] of parameters.entries()) setGradient(p, values(p.size, i === 0 ? 2 : by))
      step(optimizer, parameters)
    }
    if (refused) await expect(device.synchronize()).rejects.toMatchObject(REFUSED)
    const state = await optimizer.stateDict()
    const numbers = await Promise.all(parameters.map(p => p.toArray()))
    return [...numbers, ...[...state.tensors.values()].map(({ data }) => data as Float32Array)]
  }
  test.each(rules)('do not affect the steps before and after: $name', async rule => {
    const [found, wanted] = [await run(rule, true), await run(rule, false)]
    for (const [i, each] of wanted.entries()) expectSameBits(found[i]!, each, `tensor ${i}`)
  })

  test('do not affect the steps before and after: Adam on the rows of a table', async () => {
    const run = async (refused: boolean) => {
      const device = target.open()
      const table = tensor<2>(values(40 * 3, 1), [40, 3], { device, requiresGrad: true })
      const adam = new Adam([table], { lr: 0.1 })
      for (const [k, by] of [2, Number.NaN, 3, 4].entries()) {
        if (Number.isNaN(by) && !refused) continue
        adam.zeroGrad()
        scope(() => {
          const { data } = embedding(table, new PackedIds([[k, 7, 39 - k]]))
          data.backward(tensor(values(data.size, by), data.shape, { device }))
        })
        step(adam, [table])
      }
      if (refused) await expect(device.synchronize()).rejects.toMatchObject(REFUSED)
      return table.toArray()
    }
    expectSameBits(await run(true), await run(false), 'table')
  })

  test('can be more than a device tracks at once', async () => {
    const device = target.open()
    const p = leaf(device, [1])
    const sgd = new SGD([p], { lr: 0.5 })
    for (let i = 0; i < 150; i++) {
      setGradient(p, [i % 3 === 0 ? 0.5 : Number.NaN])
      step(sgd, [p])
    }
    await expect(device.synchronize()).rejects.toMatchObject(REFUSED)
    expect(await p.item()).toBe(1 - 50 * 0.25)
  })
}

function whatElseReads(target: Target): void {
  test('fail exactly the results that depend on the gradients', async () => {
    const device = target.open()
    const [p, q] = [leaf(device, [1, 2]), leaf(device, [3])]
    setGradient(p, [1, Number.NaN])
    setGradient(q, [4])
    const norm = clipGradNorm([p], 1, finite)
    const twice = scale(scale(p.grad!, 2), 2)
    const before = scale(q.grad!, 2)
    // Changes a valid gradient together with one that may have failed.
    clipGradValue([p, q], 1)
    const sum = add(p.grad!, full([2], 1, { device }))
    await expect(twice.toArray()).rejects.toMatchObject(REFUSED)
    await expect(sum.toArray()).rejects.toMatchObject(REFUSED)
    await expect(norm.item()).rejects.toMatchObject(REFUSED)
    expect(await before.item()).toBe(8)
    expect(await q.grad!.item()).toBe(4)
    await device.synchronize() // the failure was observed above
  })

  test('gradients that failed separately fail together, and the first reason is reported', async () => {
    const device = target.open()
    const parameters = [leaf(device, [1]), leaf(device, [2])]
    for (const [i, p] of parameters.entries()) {
      setGradient(p, [[Number.NaN, Infinity][i]!])
      clipGradNorm([p], 1, finite).dispose()
    }
    const both = clipGradNorm(parameters, 1, finite)
    await expect(both.item()).rejects.toThrow(/got nan with values\[0\]$/)
    for (const p of parameters) await expect(p.grad!.item()).rejects.toMatchObject(REFUSED)
  })

  test('a parameter that depends on failed gradients prevents the whole step', async () => {
    const device = target.open()
    const [p, r] = [leaf(device, [1]), leaf(device, [5])]
    setGradient(p, [Number.NaN])
    clipGradNorm([p], 1, finite).dispose()
    const q = scale(p.grad!, 1)
    for (const each of [q, r]) setGradient(each, [1])
    new SGD([q, r], { lr: 1 }).step()
    await expect(q.item()).rejects.toMatchObject(REFUSED)
    expect(await r.item()).toBe(5)
  })

  test('gradients without elements have norm 0, and fail with the others', async () => {
    const device = target.open()
    const [p, empty] = [leaf(device, [1]), leaf(device, [])]
    setGradient(empty, [])
    expect(await clipGradNorm([empty], 1, finite).item()).toBe(0)
    setGradient(p, [Number.NaN])
    setGradient(empty, [])
    clipGradNorm([p, empty], 1, finite).dispose()
    await expect(empty.grad!.toArray()).rejects.toMatchObject(REFUSED)
  })

  test('a step with finite gradients runs before its result is read', async () => {
    const device = target.open()
    const p = leaf(device, [1])
    setGradient(p, [2])
    step(new SGD([p], { lr: 0.25 }), [p])
    const before = scale(p, 1)
    setGradient(p, [Number.NaN])
    step(new SGD([p], { lr: 0.25 }), [p])
    expect(await before.item()).toBe(0.5)
    await expect(device.synchronize()).rejects.toMatchObject(REFUSED)
    expect(await p.item()).toBe(0.5)
  })
}
