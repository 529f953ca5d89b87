import { PackedSequence } from '../../../src/packed.js'
import { memory, type Tensor } from '../../../src/tensor.js'
import { type NdArray, nd } from '../../reference/arrays.js'
import { checkError, untyped, type World } from './world.js'

/** Calls of the tape's ops: the arguments that they share, and what each must do. */

type Float = Tensor<'float32'>
type Made = Tensor | PackedSequence

const tensorOf = (made: Made): Tensor => (made instanceof PackedSequence ? made.data : made)

/**
 * Returns the result of a call, or null if it throws. An error names the op and leaves no tensor; a result without a tape leaves
 * only its own.
 */
export function drive<T extends Made>(
  world: World,
  op: string,
  call: () => readonly T[],
  names: readonly string[] = [op],
): readonly T[] | null {
  const before = memory().tensors
  const made = world.attempt(op, () => {
    try {
      return call()
    } catch (error) {
      const { message } = checkError(error)
      if (names.some(name => message.startsWith(`${name}: `))) throw error
      throw new Error(`${op}: an error that names something else: ${message}`, { cause: error })
    }
  })
  const given = made ?? []
  const left = memory().tensors - before - given.length
  // A backward pass frees the tape.
  if (left > 0 && given.every(each => tensorOf(each).node === null)) {
    throw new Error(`${op}: ${made === null ? 'refused' : 'answered'}, and left ${left} tensors`)
  }
  for (const each of given) {
    if (each instanceof PackedSequence) world.keepOther(each)
    else world.keep<Tensor>(each)
  }
  return made
}

/** The same, and what comes back compared with the reference's arrays; null is compared with nothing. */
export function compared(
  world: World,
  op: string,
  inputs: readonly Tensor[],
  call: () => readonly Made[],
  reference: (...inputs: NdArray[]) => readonly (NdArray | null)[],
  how: { tolerance?: number; exact?: boolean } = {},
): void {
  const made = drive(world, op, call)
  if (made === null) return
  const shapes = inputs.map(({ shape }) => shape)
  const outputs = made.map(tensorOf)
  world.compare(
    op,
    outputs,
    inputs,
    (...values) =>
      reference(...values.map((data, i) => nd(shapes[i]!, data))).map((wanted, i) => {
        if (wanted === null) return null
        if (String(wanted.shape) !== String(outputs[i]!.shape))
          throw new Error(`${op}: output ${i}: wanted [${wanted.shape}], got [${outputs[i]!.shape}]`)
        return wanted.data
      }),
    how,
  )
}

/** What is copied alone. */
export const EXACT = { tolerance: 0, exact: true }
/** What is rounded once or twice. */
export const CLOSE = { tolerance: 1e-6, exact: true }

/** The shape of what should be a tensor. */
export function shapeOf(x: { shape: readonly number[] } | null | undefined): readonly number[] {
  return x?.shape ?? [2]
}

/** One of x's dimensions, counted from either end. */
export function dimOf(world: World, x: { shape: readonly number[] }): number {
  const rank = Math.max(1, shapeOf(x).length)
  return world.hostile.number(world.hostile.below(2 * rank) - rank)
}

/** A float tensor of this shape on x's device. */
export function beside(world: World, x: Float, shape = shapeOf(x)): Float {
  return world.float(shape, x?.device ?? world.device)
}

/** A shape that broadcasts with that one, or now and then not. */
export function broadcasting(world: World, shape: readonly number[]): number[] {
  const { hostile } = world
  if (hostile.once(15)) return hostile.shape()
  const part = shape.slice(hostile.once(3) ? hostile.below(shape.length + 1) : 0)
  return part.map(n => (hostile.once(4) ? 1 : n))
}

/** Options, or now and then something else. */
export function given<T>(world: World, options: T): T {
  return world.hostile.once(30) ? untyped(world.anything()) : options
}

/** An argument that is mostly this one. */
export function mostly<T>(world: World, value: T): T {
  return world.hostile.once(30) ? untyped(world.hostile.oneOf([world.anything(), Number.NaN, -1])) : value
}
