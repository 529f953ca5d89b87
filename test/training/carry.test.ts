import { expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { disposeState } from '../../src/state.js'
import { memory, tensor } from '../../src/tensor.js'
import { mapCarry, restoreCarry, saveCarry } from '../../src/training/carry.js'

const cpu = device('cpu', { threads: 1 })
const made = () => ({
  layers: [
    { h: tensor([1, 2], [1, 2], { device: cpu }), c: null },
    { h: tensor([3, 4, 5], [3, 1], { device: cpu }), c: null },
  ],
  ids: tensor(Int32Array.of(7, 8), [2], { device: cpu }),
})

test('a saved state of any structure is restored with its values, types and shapes', async () => {
  const state = made()
  const saved = await saveCarry(state)
  expect(saved.tree).toEqual({
    layers: [
      { h: 'carry.layers.0.h', c: null },
      { h: 'carry.layers.1.h', c: null },
    ],
    ids: 'carry.ids',
  })
  const back = restoreCarry({ ...saved, tree: JSON.parse(JSON.stringify(saved.tree)) }, cpu)
  expect(await saveCarry(back)).toEqual(saved)
  expect(saved.tensors.get('carry.layers.1.h')).toEqual({
    ...{ dtype: 'float32', shape: [3, 1], data: Float32Array.of(3, 4, 5) },
  })
  expect(saved.tensors.get('carry.ids')!.data).toEqual(Int32Array.of(7, 8))
  disposeState(back)
  disposeState(state)
})

test('a state may be one tensor or null', async () => {
  expect(await saveCarry(null)).toEqual({ tree: null, tensors: new Map() })
  const saved = await saveCarry(tensor([1], [], { device: cpu }))
  expect([saved.tree, [...saved.tensors.keys()]]).toEqual(['carry', ['carry']])
})

test('mapCarry detaches each leaf, and disposeCarry frees each leaf', () => {
  const { tensors: before } = memory()
  const state = made()
  const detached = mapCarry(state, leaf => leaf.detach())
  expect(detached.layers[1]!.h).not.toBe(state.layers[1]!.h)
  disposeState(state)
  expect([state.ids.disposed, detached.ids.disposed]).toEqual([true, false])
  disposeState(detached)
  expect(memory().tensors).toBe(before)
})

test('an error names a missing leaf or a value that is not a tensor', async () => {
  const saved = await saveCarry(made())
  saved.tensors.delete('carry.ids')
  expect(() => restoreCarry(saved, cpu)).toThrow('restore: state.carry: wanted values of carry.ids')
  const wrong: object = { layers: 3 }
  expect(() => Reflect.apply(mapCarry, null, [wrong, (leaf: unknown) => leaf])).toThrow(
    'Trainer: carry.layers: wanted nested tensors or null, got 3',
  )
})
