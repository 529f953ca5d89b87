import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { embedding } from '../../src/ops/embedding.js'
import { Adam, clipGradNorm, clipGradValue } from '../../src/optim/index.js'
import { PackedIds } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { full, type Tensor, tensor } from '../../src/tensor.js'
import { ownDevice, rejectionOf } from './own.js'

// Adam of the touched rows needs no memory for rows that it does not step, and changes nothing when memory runs out.

const [V, I] = [4000, 16]
const TABLE = 4 * V * I

function tableOn(device: Device): Tensor<'float32', 2> {
  const values = Float32Array.from({ length: V * I }, (_, i) => Math.sin(i))
  return tensor(values, [V, I], { device, requiresGrad: true })
}

function backward(table: Tensor<'float32', 2>, ids: readonly number[]): void {
  scope(() => {
    const { data } = embedding(table, new PackedIds([ids]))
    data.backward(data)
  })
}

function start(device: Device) {
  const table = tableOn(device)
  return { table, adam: new Adam([table], { weightDecay: 0.1 }) }
}

test('a training step does not compute the gradient of the whole table; reading `grad` does', async () => {
  // Room for the table, m and v, and for half a table more.
  const small = ownDevice(3.5 * TABLE)
  const table = tableOn(small)
  const adam = new Adam([table])
  for (let step = 0; step < 20; step++) {
    backward(table, [step, 7, V - 1 - step])
    clipGradNorm([table], 1).dispose()
    clipGradValue([table], 0.01)
    adam.step()
    adam.zeroGrad()
  }
  await small.synchronize()
  // Beside them are the numbers of the steps, and one number a row.
  expect(small.memory().held).toBeLessThan(3.2 * TABLE)
  backward(table, [1])
  expect((await rejectionOf(table.grad!.toArray())).code).toBe('ERR_OUT_OF_MEMORY')
  adam.zeroGrad()
  expect((await adam.stateDict()).tensors.get('0.step')?.data[0]).toBe(20)
})

test('steps that failed for lack of memory count for no row', async () => {
  const run = async (
    device: Device,
    lose: (step: number, trained: ReturnType<typeof start>) => Promise<void>,
  ) => {
    const trained = start(device)
    const { table, adam } = trained
    for (let step = 0; step < 30; step++) {
      await lose(step, trained)
      backward(table, [step, 2 * step, 3])
      adam.step()
      adam.zeroGrad()
    }
    const { tensors } = await adam.stateDict()
    return [await table.toArray(), ...[...tensors.values()].map(({ data }) => data)]
  }
  const small = ownDevice(3.5 * TABLE)
  const everything = Array.from({ length: V }, (_, id) => id)
  const lost = [0, 11, 12, 25]
  const found = await run(small, async (step, { table, adam }) => {
    if (!lost.includes(step)) return
    // First there is no room for m and v, later none for the rows of the batch or their gradient.
    const hog = step === 0 ? full([V, I], 1, { device: small }) : null
    backward(table, step === 0 ? [1, 2] : everything)
    adam.step()
    adam.zeroGrad()
    expect((await rejectionOf(small.synchronize())).code).toBe('ERR_OUT_OF_MEMORY')
    hog?.dispose()
  })
  expect(found).toEqual(await run(ownDevice(), async () => {}))
})

test('memory without references is freed, also with deferred steps', async () => {
  const own = ownDevice()
  const table = tableOn(own)
  const adam = new Adam([table])
  for (const id of [1, 2]) {
    backward(table, [id])
    adam.step()
    adam.zeroGrad()
  }
  adam.dispose()
  table.dispose()
  await own.synchronize()
  expect(own.memory().held).toBe(0)
})
