import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { add, multiply, relu } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedIds } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { full, memory, type Tensor, tensor, zeros } from '../../src/tensor.js'

const cpu = device('cpu', { threads: 1 })
const one = (value = 1) => full([1], value, { device: cpu })
const disposed = (tensors: Tensor[]) => tensors.map(each => each.disposed)

let before: number
beforeEach(() => {
  before = memory().tensors
})
const added = () => memory().tensors - before

test('disposes tensors made inside and keeps earlier ones', () => {
  const outside = one()
  const made: Tensor[] = []
  const result = scope(() => {
    made.push(one(), relu(outside))
    return 7
  })
  expect(result).toBe(7)
  expect(disposed([...made, outside])).toEqual([true, true, false])
  expect(added()).toBe(1)
})

test('disposes if the function throws, and rethrows the error', () => {
  const made: Tensor[] = []
  const fail = () =>
    scope(() => {
      made.push(one())
      throw new RangeError('inside')
    })
  expect(fail).toThrow(new RangeError('inside'))
  expect(disposed(made)).toEqual([true])
})

test('disposes at the end of an async function, also tensors made after an await', async () => {
  const made: Tensor[] = []
  const running = scope(async () => {
    made.push(one())
    await sleep(5)
    made.push(one(2))
    return made[1]!.item()
  })
  expect(disposed(made)).toEqual([false])
  expect(await running).toBe(2)
  expect(disposed(made)).toEqual([true, true])
  expect(added()).toBe(0)
})

test('disposes if an async function rejects, and rejects with the same error', async () => {
  const made: Tensor[] = []
  const running = scope(async () => {
    await sleep(1)
    made.push(one())
    await sleep(1)
    throw new RangeError('inside')
  })
  await expect(running).rejects.toThrow(new RangeError('inside'))
  expect(disposed(made)).toEqual([true])
})

test('a tensor that is already disposed is no error', () => {
  const x = scope(() => {
    const inner = one()
    inner.dispose()
    return inner
  })
  expect(x.disposed).toBe(true)
  expect(added()).toBe(0)
})

test('keeps the result: tensors, also in arrays and objects, and packed sequences', async () => {
  const weight = full<2>([3, 2], 1, { device: cpu })
  const kept = scope(() => {
    const x = one(5)
    return {
      x,
      list: [one(6), { deep: one(7) }],
      packed: embedding(weight, new PackedIds([[0, 2]])),
      name: 'kept',
    }
  })
  const { x, list, packed } = kept
  // x, two in the list, and of the packed sequence its rows and three of its index.
  expect(added()).toBe(1 + 1 + 2 + 4)
  expect(await x.item()).toBe(5)
  expect(list).toHaveLength(2)
  expect(await packed.data.toArray()).toEqual(Float32Array.of(1, 1, 1, 1))
  packed.dispose()
  expect(added()).toBe(4)
})

test('keeps the result of an async function', async () => {
  const [x] = await scope(async () => {
    await sleep(1)
    return [one(3), 'and more'] as const
  })
  expect(await x.item()).toBe(3)
  expect(added()).toBe(1)
})

test('a returned object may contain a cycle', () => {
  interface Ring {
    next?: Ring
    x: Tensor
  }
  const ring = scope(() => {
    const made: Ring = { x: one() }
    made.next = made
    return made
  })
  expect(ring.x.disposed).toBe(false)
})

test('the result of an inner scope belongs to the outer scope', () => {
  const made: Tensor[] = []
  const kept = scope(() => {
    const [first, second] = scope(() => {
      made.push(one())
      return [one(1), one(2)] as const
    })
    expect(disposed([...made, first, second])).toEqual([true, false, false])
    made.push(first)
    return second
  })
  expect(disposed([...made, kept])).toEqual([true, true, false])
  expect(added()).toBe(1)
})

test('an outer scope still works after an inner scope throws', () => {
  const made: Tensor[] = []
  scope(() => {
    made.push(one())
    expect(() =>
      scope(() => {
        made.push(one())
        throw new Error('inner')
      }),
    ).toThrow('inner')
    expect(disposed(made)).toEqual([false, true])
    made.push(one())
  })
  expect(disposed(made)).toEqual([true, true, true])
})

test('gradients outlive the scope that they were computed in', async () => {
  const parameter = tensor([3], [1], { device: cpu, requiresGrad: true })
  for (const expected of [6, 12]) {
    scope(() => {
      scope(() => sum(multiply(parameter, parameter)).backward())
    })
    expect(await parameter.grad!.item()).toBe(expected)
    expect(added()).toBe(2)
  }
})

test('a loss returned from a scope still has its backward pass', async () => {
  const parameter = tensor([3], [1], { device: cpu, requiresGrad: true })
  const loss = scope(() => sum(multiply(relu(parameter), add(parameter, one()))))
  loss.backward()
  // (x + 1) x
  expect(await parameter.grad!.item()).toBe(7)
  loss.dispose()
  expect(added()).toBe(2)
})

test('concurrent async scopes do not affect each other', async () => {
  const run = (value: number, pauses: number) =>
    scope(async () => {
      const made: Tensor<'float32'>[] = []
      for (let i = 0; i < pauses; i++) {
        made.push(one(value))
        await sleep(1)
        // Others have come to their end meanwhile.
        expect(disposed(made)).not.toContain(true)
        made.push(relu(made.at(-1)!))
        expect(await made.at(-1)!.item()).toBe(value)
      }
      return made[0]!
    })
  const kept = await Promise.all([1, 2, 3, 4, 5].map(value => run(value, 2 * value)))
  expect(await Promise.all(kept.map(each => each.item()))).toEqual([1, 2, 3, 4, 5])
  expect(added()).toBe(5)
})

test('an async scope does not dispose tensors made outside while it waits', async () => {
  const running = scope(async () => {
    await sleep(5)
    zeros([1], { device: cpu })
  })
  const outside = one()
  await running
  expect(outside.disposed).toBe(false)
  expect(added()).toBe(1)
})
