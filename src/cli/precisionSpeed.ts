import { type Device, device } from '../device.js'
import { median } from '../median.js'
import { LSTM } from '../nn/index.js'
import { sum } from '../ops/reduce.js'
import { packSequence } from '../packed.js'
import { scope } from '../scope.js'

const UNITS = 128
const SEQUENCES = 32
const TOKENS = 128
const ROUNDS = 9

/** Medians of a training pass in milliseconds. */
export interface PrecisionTimes {
  float32: number
  bfloat16: number
}

/**
 * Measures which precision of the CPU is the faster one here: passes forward and backward through an LSTM of 128 units,
 * over 32 sequences of 128 tokens, in turns. Takes about a second.
 */
export async function comparePrecisions(): Promise<PrecisionTimes> {
  const float32 = trainingPass(device('cpu', { precision: 'float32' }))
  const bfloat16 = trainingPass(device('cpu', { precision: 'bfloat16' }))
  const times: { float32: number[]; bfloat16: number[] } = { float32: [], bfloat16: [] }
  for (let round = -2; round < ROUNDS; round++) {
    const pair = { float32: await float32.time(), bfloat16: await bfloat16.time() }
    // The first rounds take memory and fill the caches.
    if (round < 0) continue
    times.float32.push(pair.float32)
    times.bfloat16.push(pair.bfloat16)
  }
  float32.dispose()
  bfloat16.dispose()
  return { float32: median(times.float32), bfloat16: median(times.bfloat16) }
}

function trainingPass(on: Device) {
  const layer = new LSTM({ inputSize: UNITS, hiddenSize: UNITS, device: on })
  const rows = Float32Array.from({ length: TOKENS * UNITS }, (_, i) => Math.sin(i))
  const x = packSequence(
    Array.from({ length: SEQUENCES }, () => rows),
    { inputSize: UNITS, device: on },
  )
  const zeroGrad = () => {
    for (const parameter of layer.parameters()) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  }
  return {
    async time(): Promise<number> {
      const start = performance.now()
      scope(() => sum(layer.forward(x).output.data).backward())
      await on.synchronize()
      const milliseconds = performance.now() - start
      zeroGrad()
      return milliseconds
    },
    dispose(): void {
      layer.dispose()
      x.dispose()
    },
  }
}

/** Which precision is faster, and by how much. */
export function describeTimes({ float32, bfloat16 }: PrecisionTimes): string {
  const [faster, slower, ratio] =
    bfloat16 < float32
      ? (['bfloat16', 'float32', float32 / bfloat16] as const)
      : (['float32', 'bfloat16', bfloat16 / float32] as const)
  const verdict =
    ratio < 1.03
      ? 'float32 and bfloat16 are equally fast'
      : `${faster} is ${ratio.toFixed(2)} times as fast as ${slower}`
  const numbers = `${float32.toFixed(1)} ms in float32, ${bfloat16.toFixed(1)} ms in bfloat16`
  return `${verdict}: a training pass of an LSTM of ${UNITS} units takes ${numbers}`
}
