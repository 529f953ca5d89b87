import { describe, expect, test } from 'vitest'
import { cpuPrecisions, type Device, device } from '../../src/device.js'
import { lstmForward, rnnForward } from '../../src/ops/recurrent.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'

/** The gates of recurrent layers, over their whole range. */

/** All numbers of bfloat16 from 2⁻⁴⁰ to 2¹⁰ with both signs: a product with 1 is exact at every precision. */
const points = Float32Array.from({ length: 2 * 50 * 128 }, (_, i) => {
  const magnitude = 2 ** (Math.floor(i / 256) - 40) * (1 + ((i >> 1) % 128) / 128)
  return i % 2 === 0 ? magnitude : -magnitude
})
const OPEN = 200
/** σ is computed at a point that is up to half a unit in the last place from x; at -87 that changes it by 5e-6. */
const ARGUMENT = 5e-6

/** A sequence of one token for each point, through one unit. */
function outputs(on: Device, run: (x: PackedSequence) => { output: PackedSequence }): Promise<Float32Array> {
  const output = scope(() => {
    const rows = tensor<2>(points, [points.length, 1], { device: on })
    return run(new PackedSequence(rows, new Sequences(Array<number>(points.length).fill(1)))).output.data
  })
  return output.toArray().finally(() => output.dispose())
}

const tanhs = (on: Device) =>
  outputs(on, x => {
    const weights = { wIh: tensor<2>([1], [1, 1], { device: on }), wHh: zeros([1, 1], { device: on }) }
    return rnnForward(x, [weights], { hiddenSize: 1 })
  })
/** tanh(1) times σ of the points: the input gate and the new candidate are 1. */
const sigmoids = (on: Device) =>
  outputs(on, x => {
    const weights = {
      wIh: tensor<2>([0, 0, 0, 1], [4, 1], { device: on }),
      wHh: zeros([4, 1], { device: on }),
      bIh: tensor<1>([OPEN, 0, OPEN, 0], [4], { device: on }),
      bHh: zeros([4], { device: on }),
    }
    return lstmForward(x, [weights], { hiddenSize: 1 })
  })

const ofPrecision = cpuPrecisions().flatMap(precision =>
  precision === 'float32' || precision === 'bfloat16' ? [device('cpu', { precision })] : [],
)
describe.each(ofPrecision.map(on => [on.precision, on.instructions, on] as const))(
  '%s on %s',
  (precision, set, on) => {
    // On AMX, products of bfloat16 go with cheaper gates.
    const tolerance = precision === 'bfloat16' && set === 'amx' ? 3e-5 : 1e-6

    const worst = (found: Float32Array, exact: (x: number) => number) =>
      found.reduce((most, y, i) => {
        const wanted = exact(points[i]!)
        // What is smaller may stay at the smallest normal number.
        const error = Math.abs(y - wanted) / Math.max(Math.abs(wanted), 2 ** -95)
        return Math.max(most, Number.isNaN(error) ? Infinity : error)
      }, 0)

    test('tanh', async () => {
      const found = await tanhs(on)
      expect(worst(found, Math.tanh)).toBeLessThan(tolerance)
      expect(found[points.indexOf(64)]).toBeCloseTo(1, 6)
    })

    test('σ', async () => {
      expect(worst(await sigmoids(on), x => Math.tanh(1) / (1 + Math.exp(-x)))).toBeLessThan(
        tolerance + ARGUMENT,
      )
    })
  },
)
