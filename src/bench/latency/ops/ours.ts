// The package's own part of timing a few ops, in its own process. Requests:
//
//   check WORK     some numbers of each array of its results: {NAME: numbers, …}
//   time WORK N    repeats it N times and awaits the last result: {"seconds"}; for addIssued the seconds of the calls only

import type { Tensor } from '../../../tensor.js'
import { hashed } from '../../hashed.js'
import { openLibrary } from '../../library.js'
import { answerLines } from '../process.js'
import { decoderStep } from './decoder.js'
import {
  CHECKED_STEPS,
  decoderInputs,
  decoderWeights,
  type Numbers,
  sizes,
  spread,
  squares,
  vectors,
  type WorkName,
  workNames,
} from './numbers.js'

type Float = Tensor<'float32'>

interface Work {
  check(): Promise<Record<string, number[]>>
  /** @returns seconds */
  time(times: number): Promise<number>
}

const config: { library: string; threads: number } = JSON.parse(process.argv[2]!)
const library = await openLibrary(config.library)
const { add, device: openDevice, noGrad, scope, sum, tanh, tensor } = library
const device = openDevice('cpu', { threads: config.threads })

function made<R extends number>({ shape, scale, first }: Numbers<R>, requiresGrad = false) {
  const count = shape.reduce((product, n) => product * n, 1)
  return tensor(hashed(count, { scale, first }), shape, { device, requiresGrad })
}

const seconds = (start: number) => (performance.now() - start) / 1000

/** Repeats one op. The calls of a batch are issued in a row. */
function additions(issuedOnly: boolean): Work {
  const [a, b] = [made(vectors.a), made(vectors.b)]
  return {
    check: async () => ({ y: spread(await add(a, b).toArray()) }),
    time: times =>
      noGrad(async () => {
        let total = 0
        await device.synchronize()
        for (let batch = 0; batch < times; batch++) {
          const start = performance.now()
          for (let i = 0; i < sizes.batch; i++) add(a, b).dispose()
          if (issuedOnly) total += seconds(start)
          await device.synchronize()
          if (!issuedOnly) total += seconds(start)
        }
        return total
      }),
  }
}

/** Repeats work, and frees the previous results each time. */
function repeated(again: () => void, check: Work['check']): Work {
  return {
    check,
    time: async times => {
      await device.synchronize()
      const start = performance.now()
      for (let i = 0; i < times; i++) again()
      await device.synchronize()
      return seconds(start)
    },
  }
}

function forget(tensors: readonly Float[]): void {
  for (const tensor of tensors) {
    tensor.grad?.dispose()
    tensor.grad = null
  }
}

async function gradients(tensors: Record<string, Float>): Promise<Record<string, number[]>> {
  const found = Object.entries(tensors).map(async ([name, { grad }]) => {
    return [`gradient of ${name}`, grad === null ? [] : spread(await grad.toArray())] as const
  })
  return Object.fromEntries(await Promise.all(found))
}

function chain(): Work {
  const [x, b] = [made(squares.x, true), made(squares.b)]
  const once = () => {
    forget([x])
    return scope(() => {
      let y: Float = x
      for (let i = 0; i < sizes.chain; i += 2) y = tanh(add(y, b))
      sum(y).backward()
      return y
    })
  }
  return repeated(
    () => once().dispose(),
    async () => ({ y: spread(await once().toArray()), ...(await gradients({ x })) }),
  )
}

function decoder(backward: boolean): Work {
  const weights = {
    wQuery: made(decoderWeights.wQuery, backward),
    v: made(decoderWeights.v, backward),
    wIh: made(decoderWeights.wIh, backward),
    bIh: made(decoderWeights.bIh, backward),
    wHh: made(decoderWeights.wHh, backward),
    bHh: made(decoderWeights.bHh, backward),
  }
  const [x, keys, values] = [made(decoderInputs.x), made(decoderInputs.keys), made(decoderInputs.values)]
  const inputs = { x, keys, values }
  let h = made(decoderInputs.h)
  if (backward) {
    const once = () => {
      forget(Object.values(weights))
      scope(() => sum(decoderStep(library, weights, inputs, h)).backward())
    }
    return repeated(once, () => {
      once()
      return gradients(weights)
    })
  }
  // Each step continues from the previous step's state.
  const step = () => {
    const before = h
    h = scope(() => noGrad(() => decoderStep(library, weights, inputs, before)))
    before.dispose()
  }
  return repeated(step, async () => {
    h.dispose()
    h = made(decoderInputs.h)
    for (let t = 0; t < CHECKED_STEPS; t++) step()
    return { h: spread(await h.toArray()) }
  })
}

const makers: Record<WorkName, () => Work> = {
  addIssued: () => additions(true),
  add: () => additions(false),
  chain,
  decode: () => decoder(false),
  decodeBackward: () => decoder(true),
}
const works = new Map<WorkName, Work>()

await answerLines(async (command, given, times) => {
  const name = workNames.find(known => known === given)
  if (name === undefined) throw new Error(`wanted one of ${workNames.join(', ')}, got ${given}`)
  const work = works.get(name) ?? makers[name]()
  works.set(name, work)
  return command === 'check' ? work.check() : { seconds: await work.time(Number(times)) }
})
