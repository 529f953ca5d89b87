import type { Device } from '../device.js'
import type { BenchCase } from './cases.js'
import { checkClose, toleranceOf } from './close.js'
import type { Documents } from './documents.js'
import { hashed } from './hashed.js'
import { type BenchModel, commonName, makeModel, read } from './model.js'
import { type BenchPooling, poolingOf } from './passes.js'
import { type ReferenceState, referenceLastHidden, referenceLoss } from './reference.js'

/** Documents that the reference computes. Some words occur twice. */
const WORDS = 12
const CLASSES = 9
const LENGTHS = [7, 1, 12, 4]
/** The step along a direction. The error of the difference is about its square. */
const EPSILON = 1e-5
/** How many of the timed batch's shortest documents the reference computes. */
const SHORTEST = 2

/** Results for the check: `lastHidden` of all documents, the `loss`, and the gradients by common names. */
export interface Computed {
  pooling: BenchPooling
  lastHidden: ArrayLike<number>
  loss: number
  gradients: ReadonlyMap<string, ArrayLike<number>>
}

/**
 * Compares a case with the float64 reference: on a few short documents the states, and the loss and gradients of both steps;
 * on the batch the states of its shortest documents.
 *
 * @returns the largest error, relative to the largest number of each array
 * @throws Error naming the wrong result
 */
export async function checkCase(
  spec: BenchCase,
  device: Device,
  model: BenchModel,
  { documents }: Pick<Documents, 'documents'>,
): Promise<number> {
  const tolerance = toleranceOf(device.precision)
  const short = shortDocuments()
  let few = 0
  for (const pooling of Object.values(poolingOf)) {
    const small = makeModel(model.library, spec, device, { words: WORDS, classes: CLASSES }, pooling)
    const computed = await compute(small, short)
    few = Math.max(few, compareWithReference(spec, await stateOf(small), short, computed, tolerance))
    small.module.dispose()
  }

  const shortest = [...documents.keys()]
    .sort((a, b) => documents[a]!.length - documents[b]!.length)
    .slice(0, SHORTEST)
  const all = await read(model.library, () => model.lastHidden(model.library.packSequence(documents)))
  const width = all.length / documents.length
  const state = await stateOf(model)
  const found = shortest.flatMap(b => [...all.subarray(b * width, (b + 1) * width)])
  const wanted = shortest.flatMap(b => referenceLastHidden(spec, state, documents[b]!))
  return Math.max(few, checkClose({ found }, { found: wanted }, tolerance, 'last states in the batch'))
}

type Labelled = Pick<Documents, 'documents' | 'labels'>

export function shortDocuments(): Labelled {
  const numbers = hashed(LENGTHS.reduce((sum, n) => sum + n, 0))
  let at = 0
  const documents = LENGTHS.map(length => {
    at += length
    return Int32Array.from(numbers.subarray(at - length, at), v => Math.floor((v + 0.5) * WORDS))
  })
  return { documents, labels: Int32Array.from(LENGTHS, (_, b) => (5 * b) % CLASSES) }
}

/** Computes everything that is compared, with the package. */
export async function compute(
  { library, module, pooling, lastHidden, logits }: BenchModel,
  { documents, labels }: Labelled,
): Promise<Computed> {
  const { packSequence, scope, crossEntropy } = library
  const ids = packSequence(documents)
  const hidden = await read(library, () => lastHidden(ids))
  const loss = scope(() => {
    const found = crossEntropy(logits(ids), labels)
    found.backward()
    return found
  })
  const gradients = new Map<string, Float32Array>()
  for (const [name, { grad }] of module.namedParameters()) {
    if (grad !== null) gradients.set(commonName(name), await grad.toArray())
  }
  return { pooling, lastHidden: hidden, loss: await loss.item(), gradients }
}

/** A model's parameters by their common names. */
export async function stateOf({ module }: BenchModel): Promise<ReferenceState> {
  return new Map([...(await module.stateDict())].map(([name, { data }]) => [commonName(name), data]))
}

/** @throws Error naming the wrong result */
export function compareWithReference(
  spec: BenchCase,
  state: ReferenceState,
  { documents, labels }: Labelled,
  computed: Computed,
  tolerance: number,
): number {
  const lastHidden = documents.flatMap(ids => referenceLastHidden(spec, state, ids))
  const lossOf = (at: ReferenceState) => referenceLoss(spec, at, documents, labels, computed.pooling)
  const errors = [
    checkClose({ lastHidden: computed.lastHidden }, { lastHidden }, tolerance, 'forward'),
    checkClose({ loss: [computed.loss] }, { loss: [lossOf(state)] }, tolerance, 'forward'),
  ]
  const trained = [...state.keys()].filter(name => name !== 'embedding.weight' || spec.tuneEmbedding)
  for (const name of trained) {
    const gradient = computed.gradients.get(name)
    if (gradient === undefined) throw new Error(`backward: ${name}: wanted a gradient, got none`)
    errors.push(checkGradient(lossOf, state, name, gradient, tolerance))
  }
  return Math.max(...errors)
}

/**
 * Compares the loss's slope in a direction that changes every number of a parameter with the slope that the gradient predicts.
 * Errors are relative to the standard deviation of the slope in a random direction.
 */
function checkGradient(
  lossOf: (state: ReferenceState) => number,
  state: ReferenceState,
  name: string,
  gradient: ArrayLike<number>,
  tolerance: number,
): number {
  const values = state.get(name)!
  const direction = hashed(values.length, { scale: Math.sqrt(12), first: 1 }) // of variance 1
  const lossAt = (distance: number) => {
    const moved = Float64Array.from(direction, (v, i) => values[i]! + distance * v)
    return lossOf(new Map([...state, [name, moved]]))
  }
  const slope = (lossAt(EPSILON) - lossAt(-EPSILON)) / (2 * EPSILON)
  let [told, squares] = [0, 0]
  for (let i = 0; i < gradient.length; i++) {
    told += gradient[i]! * direction[i]!
    squares += gradient[i]! ** 2
  }
  const error = Math.abs(told - slope) / Math.sqrt(squares)
  if (gradient.length !== values.length || !(error <= tolerance)) {
    throw new Error(
      `backward: ${name}: off by ${error.toExponential(1)}, allowed ${tolerance.toExponential(1)}`,
    )
  }
  return error
}
