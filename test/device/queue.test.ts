import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { native } from '../../src/native.js'
import { relu, scale } from '../../src/ops/elementwise.js'
import { linearForward } from '../../src/ops/linear.js'
import { SGD } from '../../src/optim/index.js'
import { scope } from '../../src/scope.js'
import { full, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { BLOCK, OCCUPIED, occupy, ownDevice, rejectionOf } from './own.js'

/** An op's result has memory from the moment that the op runs, so the memory in use shows which ops have run. */
const held = (on: Device) => on.memory().held

test('calls return before the work is done, and the event loop stays free meanwhile', async () => {
  const own = ownDevice()
  const x = zeros<2>([2048, 2048], { device: own })
  await own.synchronize()
  const first = linearForward(x, x)
  const second = linearForward(first, x)
  // x, the first result and a packed copy of x; the second result has no memory yet.
  expect(held(own), 'the second op waits for the first').toBeLessThan(4 * OCCUPIED)
  const events: string[] = []
  setTimeout(() => events.push('timer'), 1)
  await second.toArray()
  events.push('values')
  expect(events).toEqual(['timer', 'values'])
})

test('ops run in the order of their calls: a read sees earlier ops and no later ones', async () => {
  const own = ownDevice()
  occupy(own)
  const parameter = tensor([16], [1], { device: own })
  const gradients = { half: () => scale(parameter, 0.5), one: () => full([1], 1, { device: own }) }
  const reads = (['half', 'one', 'half', 'one'] as const).map(name => {
    const before = parameter.item()
    subtract(parameter, gradients[name]())
    return before
  })
  expect(await Promise.all(reads)).toEqual([16, 8, 7, 3.5])
  expect(await parameter.item()).toBe(2.5)
})

function subtract(parameter: Tensor<'float32'>, gradient: Tensor<'float32'>): void {
  parameter.grad = gradient
  new SGD([parameter], { lr: 1 }).step()
}

test('the caller may change its array after `tensor` has returned', async () => {
  const own = ownDevice()
  occupy(own)
  const [floats, integers] = [Float32Array.of(1, 2), Int32Array.of(3, 4)]
  const made = [tensor(floats, [2], { device: own }), tensor(integers, [2], { device: own })]
  floats.fill(0)
  integers.fill(0)
  expect(await Promise.all(made.map(one => one.toArray()))).toEqual([
    Float32Array.of(1, 2),
    Int32Array.of(3, 4),
  ])
})

test('`tensor` accepts a view into a larger array, and shared memory', async () => {
  const own = ownDevice()
  const view = Float32Array.of(1, 2, 3, 4).subarray(1, 3)
  expect(await tensor(view, [2], { device: own }).toArray()).toEqual(Float32Array.of(2, 3))
  const shared = new Float32Array(new SharedArrayBuffer(8))
  shared.set([5, 6])
  expect(await tensor(shared, [2], { device: own }).toArray()).toEqual(Float32Array.of(5, 6))
})

test('100,000 small ops can be queued', async () => {
  const own = ownDevice()
  using x = full([1], 1, { device: own })
  await own.synchronize()
  const before = held(own)
  await scope(async () => {
    occupy(own)
    const results = Array.from({ length: 100_000 }, () => relu(x))
    expect((await results.at(-1)!.toArray())[0]).toBe(1)
  })
  await own.synchronize()
  expect(held(own)).toBe(before)
})

test('a call blocks while 4 GB of results are queued, and a single larger result is accepted', async () => {
  const own = ownDevice(2 ** 28)
  using x = full([1], 1, { device: own })
  await own.synchronize()
  const before = held(own)
  using occupied = occupy(own)
  using small = relu(x)
  const large = zeros([3 * 2 ** 28], { device: own })
  const alsoLarge = zeros([5 * 2 ** 28], { device: own })
  expect(held(own), 'what came before the first large op has run').toBe(before + OCCUPIED + BLOCK)
  expect((await rejectionOf(large.toArray())).code).toBe('ERR_OUT_OF_MEMORY')
  expect((await rejectionOf(alsoLarge.toArray())).code).toBe('ERR_OUT_OF_MEMORY')
  expect(await small.item()).toBe(1)
  expect(occupied.size).toBe(OCCUPIED / 4)
})

test('synchronize resolves when all issued ops have run', async () => {
  const own = ownDevice()
  using x = full([1], 1, { device: own })
  using occupied = occupy(own)
  using small = relu(x)
  await own.synchronize()
  // `occupy` has freed its input.
  expect(held(own)).toBe(4 * occupied.size + 2 * BLOCK)
  expect(small.size).toBe(1)
})

test('synchronize rejects once with the first failure that was not observed', async () => {
  const own = ownDevice(2 ** 20)
  const failed = [2 ** 20, 2 ** 21].map(size => zeros([size], { device: own }))
  expect((await rejectionOf(own.synchronize())).message).toMatch(/^fill\(count 1048576\): /)
  await own.synchronize()
  expect((await rejectionOf(failed[1]!.toArray())).message).toMatch(/^fill\(count 2097152\): /)
})

test('unobserved failures are stored up to 256 and then only counted', async () => {
  const own = ownDevice(2 ** 20)
  const fail = (size: number) => zeros([size], { device: own }).dispose()
  for (let i = 0; i < 1000; i++) fail(2 ** 20 + i)
  const { code, message } = await rejectionOf(own.synchronize())
  expect(code).toBe('ERR_OUT_OF_MEMORY')
  expect(message).toMatch(/^fill\(count 1048576\): .* are held; further failures, not kept: 744$/)
  await own.synchronize()
  fail(2 ** 21)
  expect((await rejectionOf(own.synchronize())).message).toMatch(/^fill\(count 2097152\): .* are held$/)
})

test('the last failure is stored, too, in case all others were observed', async () => {
  const own = ownDevice(2 ** 20)
  const seen = Array.from({ length: 256 }, () => zeros([2 ** 20], { device: own }))
  const unseen = zeros([2 ** 21], { device: own })
  const reads = seen.map(each => rejectionOf(each.toArray()))
  expect((await rejectionOf(own.synchronize())).message).toMatch(/^fill\(count 2097152\): /)
  expect(new Set((await Promise.all(reads)).map(({ code }) => code))).toEqual(new Set(['ERR_OUT_OF_MEMORY']))
  await own.synchronize()
  expect(unseen.disposed).toBe(false)
})

test('synchronize does not repeat a failure that an earlier read rejects with', async () => {
  const own = ownDevice(2 ** 20)
  const [shown, other] = [2 ** 20, 2 ** 21].map(size => zeros([size], { device: own }))
  const settled = Promise.allSettled([shown!.toArray(), own.synchronize()])
  const last = full([1], 1, { device: own })
  // All has run before this thread hears of any of it.
  while (held(own) === 0);
  const [read, synchronized] = await settled
  expect(read).toMatchObject({ reason: { message: expect.stringMatching(/^fill\(count 1048576\)/) } })
  expect(synchronized).toMatchObject({ reason: { message: expect.stringMatching(/^fill\(count 2097152\)/) } })
  await own.synchronize()
  expect([other!.disposed, last.disposed]).toEqual([false, false])
})

test('the addon rejects values that are not a device or a buffer', () => {
  const own = ownDevice()
  const buffer = native.allocate(own.queue, 4)
  expect(() => native.deviceInfo(JSON.parse('{}'))).toThrow('wanted a device')
  expect(() => native.release(JSON.parse('7'))).toThrow('wanted a buffer')
  native.release(buffer)
  native.release(buffer)
  expect(() => native.download(own.queue, buffer, false)).toThrow('the buffer was released')
})
