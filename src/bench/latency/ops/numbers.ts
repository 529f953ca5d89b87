/** Workloads of a few ops, and their numbers, which are the same for all participants. */
import type { Shape } from '../../../tensor.js'

/** The workloads in the order of the table. */
export const workNames = ['addIssued', 'add', 'chain', 'decode', 'decodeBackward'] as const
export type WorkName = (typeof workNames)[number]

/** Calls of an op between two awaited results. */
const BATCH = 1000
/** Ops of the chain. Every second one is an addition. */
const CHAIN = 20
/** The decoder's sequences, keys per sequence, and units. */
const [B, T, H] = [64, 20, 256]

export const sizes = { batch: BATCH, chain: CHAIN, hidden: H }

export const works: Record<WorkName, { about: string; calls: number }> = {
  addIssued: { about: 'add of 64 numbers, issued', calls: BATCH },
  add: { about: 'add of 64 numbers, issued and computed', calls: BATCH },
  chain: { about: `${CHAIN} ops on 64 × 64 numbers, forward and backward`, calls: 1 },
  decode: { about: `a decoder's step of ${B} × ${H}, ${T} keys, forward`, calls: 1 },
  decodeBackward: { about: "a decoder's step, forward and backward", calls: 1 },
}

/** An array of `hashed` numbers. */
export interface Numbers<R extends number> {
  shape: Shape<R>
  scale: number
  /** The index of the first number. */
  first: number
}

/** Each array uses its own range of a million hashed numbers. */
function numbers<const S extends Shape>(shape: S, scale: number, place: number): Numbers<S['length']> {
  return { shape, scale, first: 1e6 * place }
}

export const vectors = { a: numbers([64], 2, 0), b: numbers([64], 2, 1) }
export const squares = { x: numbers([64, 64], 2, 0), b: numbers([64, 64], 2, 1) }

const scale = 2 / Math.sqrt(H)

/** Weights of the attention, and of a GRU cell in PyTorch's layout: gates r, z, n. */
export const decoderWeights = {
  wQuery: numbers([H, H], scale, 0),
  v: numbers([H], 4 * scale, 1),
  wIh: numbers([3 * H, 2 * H], scale, 2),
  bIh: numbers([3 * H], scale, 3),
  wHh: numbers([3 * H, H], scale, 4),
  bHh: numbers([3 * H], scale, 5),
}

/** A step's input, previous state, keys and values. */
export const decoderInputs = {
  x: numbers([B, H], 2, 6),
  h: numbers([B, H], 2, 7),
  keys: numbers([B, T, H], 2, 8),
  values: numbers([B, T, H], 2, 9),
}

/** Steps of the check without gradients. */
export const CHECKED_STEPS = 3
/** How many numbers of an array are compared: a prime, so all columns are covered. */
const COMPARED = 509

/** Evenly spaced numbers of an array. */
export function spread(values: Float32Array): number[] {
  const count = Math.min(COMPARED, values.length)
  return Array.from({ length: count }, (_, i) => values[Math.floor((i * values.length) / count)]!)
}

/** All of this as JSON for processes in other languages. */
export const described = {
  ...{ ...sizes, checkedSteps: CHECKED_STEPS, compared: COMPARED },
  ...{ vectors, squares, weights: decoderWeights, inputs: decoderInputs },
}
