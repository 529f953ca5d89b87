import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { embedding } from '../../src/ops/embedding.js'
import {
  Adam,
  AdamW,
  clipGradNorm,
  clipGradValue,
  cosineAnnealing,
  Scheduler,
  SGD,
} from '../../src/optim/index.js'
import { PackedIds } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import type { Rule } from '../reference/optimizers.js'
import { expectSameBits } from './compare.js'
import { drawGradient, leaf, optimizerOf, rules, setGradient } from './parameter.js'
import type { Target } from './target.js'

/** Compares steps of Adam with an embedding's row-wise gradient to steps with the same gradient as a dense tensor. */

type Table = Tensor<'float32', 2>
type Form = 'rows' | 'dense'

/** Row r has a gradient in every PERIODS[r % 8]-th step: in each step, after 1, 2, some or many other steps, once, or never. */
const PERIODS = [1, 2, 3, 7, 50, 190, 1000, 0]
const STEPS = 200

function idsOf(step: number, rows: number): number[] {
  return Array.from({ length: rows }, (_, r) => r).filter(r => {
    const period = PERIODS[r % PERIODS.length]!
    return period > 0 && step % period === (period === 1000 ? 0 : r % period)
  })
}

function tableOf(device: Device, [V, I]: readonly [number, number], scale = 1): Table {
  const generator = new Generator(4)
  const values = Float32Array.from({ length: V * I }, () => scale * generator.normal())
  return tensor<2>(values, [V, I], { device, requiresGrad: true })
}

/** Adds the gradient of these rows. Once it is read as a tensor, it stays dense. */
function backward(table: Table, ids: readonly number[], seed: number, form: Form): void {
  scope(() => {
    const { data } = embedding(table, new PackedIds([ids]))
    data.backward(tensor(drawGradient(new Generator(seed), data.size), data.shape, { device: table.device }))
  })
  if (form === 'dense') void table.grad!.toArray()
}

/** All numbers of a run that a caller can read. */
class Seen {
  readonly numbers: Float32Array[] = []
  async add(...values: readonly Tensor<'float32'>[]): Promise<void> {
    this.numbers.push(...(await Promise.all(values.map(each => each.toArray()))))
  }
}

function expectSame(rows: readonly Float32Array[], dense: readonly Float32Array[]): void {
  expect(rows.length).toBe(dense.length)
  for (const [i, each] of rows.entries()) expectSameBits(each, dense[i]!, `number ${i} that was read`)
}

/** 200 steps with everything that a run may do between them. */
async function run(device: Device, rule: Rule, shape: readonly [number, number], form: Form) {
  const seen = new Seen()
  const start = () => {
    const table = tableOf(device, shape)
    const other = leaf(device, drawGradient(new Generator(5), 50))
    const optimizer = optimizerOf(rule, [{ parameters: [other] }, { parameters: [table] }])
    return { table, other, optimizer, rates: new Scheduler(optimizer, cosineAnnealing({ steps: 60 })) }
  }
  let { table, other, optimizer, rates } = start()
  for (let step = 0; step < STEPS; step++) {
    optimizer.zeroGrad()
    // A step whose gradient was read, and a step with two gradients, are dense in both runs.
    const asked = step === 120 || step === 121
    if (step !== 140) backward(table, idsOf(step, shape[0]), step, asked ? 'dense' : form)
    if (step === 130) backward(table, [1, shape[0] - 1], 1000, form)
    setGradient(other, drawGradient(new Generator(step), 50))
    if (step % 3 > 0) await seen.add(clipGradNorm([table, other], step % 2 === 0 ? 0.5 : 1e9))
    if (step % 11 === 0) clipGradValue([table], 0.1)
    optimizer.step()
    rates.step()
    if (step === 60) await seen.add(embedding(table, new PackedIds([[3, 5], [7]])).data)
    if (step === 80) await seen.add(table)
    if (step === 100) {
      const saved = { state: await optimizer.stateDict(), rates: rates.stateDict() }
      const values = { table: await table.toArray(), other: await other.toArray() }
      ;({ table, other, optimizer, rates } = start())
      table.assign(values.table)
      other.assign(values.other)
      optimizer.loadStateDict(saved.state)
      rates.loadStateDict(saved.rates)
    }
    if (step === 150) for (const group of optimizer.groups) Object.assign(group, { weightDecay: 0.05 })
    if (step === 160) for (const group of optimizer.groups) Object.assign(group, { amsgrad: true, eps: 1e-4 })
    if (step === 165 || step === 185)
      for (const group of optimizer.groups) Object.assign(group, { maximize: step === 165 })
    if (step === 170) for (const group of optimizer.groups) Object.assign(group, { betas: [0.5, 0.6] })
  }
  for (const { data } of (await optimizer.stateDict()).tensors.values()) seen.numbers.push(data)
  await seen.add(table, other)
  return seen.numbers
}

export function touchedRowsSuite(target: Target): void {
  describe(`row-wise gradients of an embedding on ${target.name}`, () => {
    const adams = rules.filter(({ optimizer }) => optimizer.startsWith('Adam'))
    const shapes = [
      [26, 5],
      [9, 33],
      [41, 16],
      [70, 300],
      [26, 7],
      [33, 16],
    ] as const
    test.each(adams.map((rule, i) => ({ ...rule, shape: shapes[i]! })))(
      '200 steps have the bits of a dense gradient: $name, table $shape',
      async rule => {
        const device = target.open()
        expectSame(await run(device, rule, rule.shape, 'rows'), await run(device, rule, rule.shape, 'dense'))
      },
    )

    /** Runs both forms, each on its own table, and returns the numbers that each has read. */
    const both = async (go: (form: Form, device: Device) => Promise<readonly Float32Array[]>) =>
      expectSame(await go('rows', target.open()), await go('dense', target.open()))

    test('rows that missed more steps than are recorded', () =>
      both(async (form, device) => {
        const table = tableOf(device, [4, 3])
        const adam = new Adam([table], { lr: 0.01 })
        for (let step = 0; step < 600; step++) {
          adam.zeroGrad()
          backward(table, step % 599 === 0 ? [0, 1, 2] : [0, 3], step, form)
          adam.step()
        }
        const { tensors } = await adam.stateDict()
        return [await table.toArray(), ...[...tensors.values()].map(({ data }) => data)]
      }))

    // Updates that rounding would swallow are skipped. Rounding must really swallow them, also for extreme p, m and v.
    test.each([1e-30, 1e-12, 1e-3, 1, 1e6, 1e18])(
      'parameters about %d, which vanishing moments stop changing',
      scale =>
        both(async (form, device) => {
          const table = tableOf(device, [40, 17], scale)
          const adam = new Adam([table], { lr: 1e-3 * scale, betas: [0.7, 0.9] })
          const seen = new Seen()
          for (let step = 0; step < 120; step++) {
            adam.zeroGrad()
            backward(table, step === 0 ? idsOf(0, 40) : [39], step, form)
            adam.step()
            if (step % 40 === 39) await seen.add(table)
          }
          return seen.numbers
        }),
    )

    test('an epsilon of 0 makes rows without a gradient NaN', () =>
      both(async (form, device) => {
        const table = tableOf(device, [5, 3])
        const adam = new Adam([table], { eps: 0 })
        backward(table, [1, 2], 0, form)
        adam.step()
        const values = await table.toArray()
        expect(Array.from(values.subarray(0, 3))).toEqual([NaN, NaN, NaN])
        return [values]
      }))

    test.each([false, true])('a norm of NaN makes every row NaN, maximize %s', maximize =>
      both(async (form, device) => {
        const table = tableOf(device, [5, 3])
        const adam = new Adam([table], { maximize })
        backward(table, [1, 2], 0, form)
        const poison = leaf(device, [1])
        setGradient(poison, [NaN])
        const norm = clipGradNorm([table, poison], 1)
        adam.step()
        const values = [await norm.toArray(), await table.toArray(), await table.grad!.toArray()]
        expect(values.flatMap(each => [...each]).every(Number.isNaN)).toBe(true)
        return values
      }),
    )

    test('norms over rows that cross the blocks of the sum', async () => {
      const shape = [700, 300] as const
      const ids = [0, 1, 27, 28, 54, 55, 56, 100, 135, 300, 698, 699]
      for (const normType of [2, Infinity] as const) {
        await both(async (form, device) => {
          const table = tableOf(device, shape)
          const other = leaf(device, new Float32Array(7))
          backward(table, ids, 9, form)
          setGradient(other, drawGradient(new Generator(6), 7))
          const norm = clipGradNorm([other, table], 0.25, { normType })
          return [await norm.toArray(), await table.grad!.toArray(), await other.grad!.toArray()]
        })
      }
    })

    test('other optimisers, two of Adam, and a change in place see an up-to-date table', () =>
      both(async (form, device) => {
        const table = tableOf(device, [9, 5])
        const [adam, adamW, sgd] = [new Adam([table]), new AdamW([table]), new SGD([table], { lr: 0.1 })]
        const seen = new Seen()
        for (let step = 0; step < 30; step++) {
          adam.zeroGrad()
          backward(table, idsOf(step, 9), step, form)
          const optimizer = step % 5 === 0 ? sgd : step % 3 === 0 ? adamW : adam
          optimizer.step()
          if (step === 7) clipGradValue([holder(table)], 0.5)
          if (step === 20) adam.dispose()
        }
        await seen.add(table)
        for (const optimizer of [adam, adamW]) {
          for (const { data } of (await optimizer.stateDict()).tensors.values()) seen.numbers.push(data)
        }
        return seen.numbers
      }))

    test('a batch without words is a step for all rows', () =>
      both(async (form, device) => {
        const table = tableOf(device, [3, 2])
        const adam = new Adam([table])
        for (const ids of [[0, 1], [], [2]]) {
          adam.zeroGrad()
          backward(table, ids, 1, form)
          adam.step()
        }
        return [await table.toArray()]
      }))

    test('a failed step counts for no row', () =>
      both(async (form, device) => {
        const table = tableOf(device, [6, 3])
        const bad = leaf(device, [1])
        const adam = new Adam([table, bad])
        for (let step = 0; step < 6; step++) {
          adam.zeroGrad()
          backward(table, [step, 0], step, form)
          setGradient(bad, [step === 3 ? NaN : 1])
          const norm = clipGradNorm([bad], 1, { errorIfNonfinite: true })
          adam.step()
          if (step === 3) await expect(norm.item()).rejects.toMatchObject({ code: 'ERR_NON_FINITE' })
        }
        const { tensors } = await adam.stateDict()
        expect(tensors.get('0.step')!.data[0]).toBe(5)
        return [await table.toArray(), ...[...tensors.values()].map(({ data }) => data)]
      }))
  })
}

/** Returns a parameter whose gradient is this tensor. */
function holder(values: Tensor<'float32'>): Tensor<'float32'> {
  const parameter = values.detach()
  parameter.grad = values
  return parameter
}
