import { type Device, device } from '../device.js'
import { median } from '../median.js'
import { LSTM } from '../nn/index.js'
import { matmul } from '../ops/products.js'
import { sum } from '../ops/reduce.js'
import { packSequence } from '../packed.js'
import { scope } from '../scope.js'
import { full } from '../tensor.js'

const UNITS = 128
const SEQUENCES = 32
const TOKENS = 128
/** Rows and columns of a product's matrices. */
const SIDE = 1024
const ROUNDS = 9

const compared = ['float32', 'bfloat16'] as const
type Compared = (typeof compared)[number]

/** Medians of a training pass in milliseconds, and the products of both precisions. */
export interface PrecisionTimes {
  float32: number
  bfloat16: number
  products: Record<Compared, { instructions: string; gflops: number }>
}

/**
 * Measures which precision of the CPU is the faster one here: passes forward and backward through an LSTM of 128 units, over 32
 * sequences of 128 tokens, and products of square matrices. The precisions take turns. Takes about a second.
 */
export async function comparePrecisions(): Promise<PrecisionTimes> {
  const devices = {
    float32: device('cpu', { precision: 'float32' }),
    bfloat16: device('cpu', { precision: 'bfloat16' }),
  }
  const passes = await inTurns(each => trainingPass(devices[each]))
  const products = await inTurns(each => product(devices[each]))
  const about = (each: Compared) => ({
    instructions: devices[each].instructions,
    gflops: (2 * SIDE ** 3) / (1e6 * products[each]),
  })
  return { ...passes, products: { float32: about('float32'), bfloat16: about('bfloat16') } }
}

interface Timed {
  time(): Promise<number>
  dispose(): void
}

/** Medians in milliseconds. */
async function inTurns(begin: (precision: Compared) => Timed): Promise<Record<Compared, number>> {
  const sides = { float32: begin('float32'), bfloat16: begin('bfloat16') }
  const times: Record<Compared, number[]> = { float32: [], bfloat16: [] }
  for (let round = -2; round < ROUNDS; round++) {
    for (const each of compared) {
      const time = await sides[each].time()
      // The first rounds take memory and fill the caches.
      if (round >= 0) times[each].push(time)
    }
  }
  for (const each of compared) sides[each].dispose()
  return { float32: median(times.float32), bfloat16: median(times.bfloat16) }
}

function product(on: Device): Timed {
  const [a, b] = [full([SIDE, SIDE], 1, { device: on }), full([SIDE, SIDE], 1, { device: on })]
  return {
    async time() {
      const start = performance.now()
      matmul(a, b).dispose()
      await on.synchronize()
      return performance.now() - start
    },
    dispose() {
      a.dispose()
      b.dispose()
    },
  }
}

function trainingPass(on: Device): Timed {
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

/** `float32 products 150 GFLOP/s on avx512, bfloat16 products 230 GFLOP/s on avx512` */
export function describeProducts({ products }: PrecisionTimes): string {
  const of = (each: Compared) =>
    `${each} products ${products[each].gflops.toFixed(0)} GFLOP/s on ${products[each].instructions}`
  return compared.map(of).join(', ')
}

/** Which precision is faster, and by how much. */
export function describeTimes({ float32, bfloat16 }: Omit<PrecisionTimes, 'products'>): string {
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
