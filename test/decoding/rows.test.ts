import { describe, expect, test } from 'vitest'
import { gatherRows, stateBytes } from '../../src/decoding/index.js'
import { type PackedSequence, packSequence } from '../../src/packed.js'
import { memory, tensor, zeros } from '../../src/tensor.js'
import { thrownBy } from '../device/own.js'
import { targets } from './models.js'

describe.each(targets)('gatherRows on $name', target => {
  const on = target.open()

  test('takes rows of every leaf, of any rank and both types', async () => {
    const { tensors } = memory()
    const state = {
      layers: [tensor([1, 2, 3, 4, 5, 6], [3, 2], { device: on }), null],
      // Bits that are no float32 number, or none that arithmetic keeps.
      ids: tensor(Int32Array.of(1, -1, 0x7f800001), [3], { device: on }),
      deep: { cube: tensor([1, 2, 3, 4, 5, 6], [3, 1, 2], { device: on }) },
    } as const
    const found = gatherRows(state, [2, 0, 2, 1])
    expect(found.layers[1]).toBe(null)
    expect(await found.layers[0].toArray()).toEqual(Float32Array.of(5, 6, 1, 2, 5, 6, 3, 4))
    expect(await found.ids.toArray()).toEqual(Int32Array.of(0x7f800001, 1, 0x7f800001, -1))
    expect([found.ids.dtype, found.ids.shape]).toEqual(['int32', [4]])
    expect(found.deep.cube.shape).toEqual([4, 1, 2])
    expect(await gatherRows(state, []).ids.toArray()).toEqual(new Int32Array(0))
    for (const one of [state, found]) {
      for (const leaf of [one.layers[0], one.ids, one.deep.cube]) leaf.dispose()
    }
    // What the empty selection made.
    expect(memory().tensors).toBe(tensors + 3)
  })
})

test('gatherRows rejects other states and rows', () => {
  const on = targets[0]!.open()
  const state = { h: zeros([2, 3], { device: on }) }
  expect(thrownBy(() => gatherRows(state, [2])).message).toBe(
    'gatherRows: rows[0]: wanted an integer from 0 to 1, got 2',
  )
  expect(thrownBy(() => gatherRows([zeros([], { device: on })], [0])).message).toBe(
    'gatherRows: state.0: wanted a row for each hypothesis, got []',
  )
  const keys: PackedSequence = packSequence([Float32Array.of(1)], { inputSize: 1, device: on })
  expect(thrownBy(() => Reflect.apply(gatherRows, null, [{ keys }, [0]])).message).toBe(
    'gatherRows: state.keys: wanted nested tensors or null, got PackedSequence',
  )
})

test('stateBytes counts every leaf', () => {
  const on = targets[0]!.open()
  expect(
    stateBytes([zeros([2, 3], { device: on }), null, { ids: tensor(Int32Array.of(1), [1], { device: on }) }]),
  ).toBe(28)
  expect(stateBytes(null)).toBe(0)
})
