import { backpropagate, type Gradients, isRecorded, noGrad, record } from './autograd.js'
import { checkFunction, checkList, checkOptions, checkTensor, type OptionNames } from './check.js'
import { badArgument, PackedRnnError } from './errors.js'
import { checkFloat } from './ops/dims.js'
import { outlive, scope } from './scope.js'
import { type Float, filled, Tensor } from './tensor.js'

/** Gradients of one's own, and gradients asked for. */

/** What a forward pass of one's own gives: one result or several, and what its backward pass needs. */
export interface CustomResult<Output, Saved> {
  output: Output
  saved: Saved
}

/**
 * A function on the tape whose gradient is given by hand, as torch.autograd.Function.
 *
 * @param forward of tensors; runs without a tape. What it leaves in `saved`, tensors and other things with `dispose` in
 * arrays and objects, is kept until the backward pass has run.
 * @param backward of `saved` and the gradients in the outputs, null where there is none: a gradient for each input, of its
 * shape, or null. Runs once and without a tape.
 * @returns the function of the inputs, which gives `output`.
 * @throws PackedRnnError what forward throws; ERR_INVALID_ARGUMENT for an output that is no tensor; where it is called back
 * ERR_SHAPE, ERR_DTYPE, ERR_DEVICE or ERR_DISPOSED for a gradient that does not fit its input.
 * @example
 * ```ts
 * const square = customGrad(
 *   (x: Tensor<'float32'>) => ({ output: mul(x, x), saved: x }),
 *   (x, [dY]) => [dY && mul(mul(x, 2), dY)],
 * )
 * ```
 */
export function customGrad<
  const Inputs extends readonly Float[],
  Output extends Float | readonly Float[],
  Saved,
>(
  forward: (...inputs: Inputs) => CustomResult<Output, Saved>,
  backward: (saved: Saved, gradients: Gradients) => Gradients,
): (...inputs: Inputs) => Output {
  const op = 'customGrad'
  checkFunction(op, 'forward', forward)
  checkFunction(op, 'backward', backward)
  return (...inputs) => {
    for (const [i, input] of inputs.entries()) checkFloat(op, `inputs[${i}]`, input)
    // What is refused goes with the scope.
    const result = scope(() => {
      const made = noGrad(() => forward(...inputs))
      checkOutputs(made, inputs)
      return made
    })
    const outputs = listed<Float>(result.output)
    const kept = new Set<Disposable>()
    if (!isRecorded(inputs)) {
      // Nobody will ask for it.
      collect(result.saved, kept)
      for (const thing of kept) if (!mine(thing, inputs, outputs)) thing.dispose()
      return result.output
    }
    const shapes = inputs.map(({ shape, device }) => ({ dtype: 'float32' as const, shape, device }))
    record(op, inputs, outputs, keeper => {
      const saved = replaced(result.saved, thing => {
        if (!(thing instanceof Tensor)) return keeper.own(thing)
        const held = keeper.hold(thing)
        if (!mine(thing, inputs, outputs)) thing.dispose()
        return held
      })
      return gradients => {
        const found = scope(() => {
          const made = noGrad(() => backward(saved, gradients))
          if (!Array.isArray(made) || made.length !== shapes.length) {
            throw badArgument(op, 'backward', `a gradient or null for each of ${shapes.length} inputs`, made)
          }
          made.forEach((gradient: Float | null, i) => {
            if (gradient == null) return
            checkTensor<'float32', number>(op, `backward: gradients[${i}]`, gradient, shapes[i]!)
          })
          return made
        })
        return found.map((gradient: Float | null, i) => {
          if (gradient == null) return null
          // One that was given, or comes twice, comes back as another handle.
          const other = gradients.includes(gradient) || found.indexOf(gradient) < i
          return other ? gradient.alias() : outlive(gradient)
        })
      }
    })
    return result.output
  }
}

function isList<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given)
}
function listed<T>(given: T | readonly T[]): readonly T[] {
  return isList(given) ? given : [given]
}

/** JavaScript may give anything. */
function checkOutputs(made: unknown, inputs: readonly Float[]): void {
  const op = 'customGrad'
  if (typeof made !== 'object' || made === null || !('output' in made)) {
    throw badArgument(op, 'forward', 'an object with output and saved', made)
  }
  const { output } = made
  if (!(output instanceof Tensor) && !Array.isArray(output)) {
    throw badArgument(op, 'output', 'a tensor, or several', output)
  }
  listed(output).forEach((each: Float, i) => {
    checkFloat(op, `output[${i}]`, each)
    const own = !inputs.includes(each) && !each.requiresGrad && each.node === null
    if (!own) throw badArgument(op, `output[${i}]`, 'a tensor of its own', 'an input, or one on the tape')
  })
}

interface Disposable {
  dispose(): void
}
function isDisposable(value: object): value is Disposable {
  return 'dispose' in value && typeof value.dispose === 'function'
}
function mine(thing: Disposable, inputs: readonly Float[], outputs: readonly Float[]): boolean {
  return thing instanceof Tensor && [...inputs, ...outputs].some(each => each === thing)
}

function collect(value: unknown, found: Set<Disposable>): void {
  if (typeof value !== 'object' || value === null) return
  if (isDisposable(value)) found.add(value)
  else if (isPlain(value)) for (const part of Object.values(value)) collect(part, found)
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}

/** The same structure of arrays and objects, with what has `dispose` exchanged. */
function replaced<T>(value: T, exchange: (thing: Disposable) => Disposable): T
function replaced(value: unknown, exchange: (thing: Disposable) => Disposable): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isDisposable(value)) return exchange(value)
  if (!isPlain(value)) return value
  if (Array.isArray(value)) return value.map(part => replaced(part, exchange))
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part, exchange)]))
}

/** What is asked of `grad`. */
export interface GradOptions {
  /** Gradients of something in the outputs; wanted where an output has several elements, and else 1. */
  gradOutputs?: readonly Float[]
  /** Whether an input that no output was computed from has the gradient null, or else is an error; default false. */
  allowUnused?: boolean
}
const gradNames: OptionNames<GradOptions> = { gradOutputs: true, allowUnused: true }

/**
 * The gradients of outputs in inputs, as torch.autograd.grad: `grad` of the tensors stays as it is, and the tape is freed on
 * the way. There are no second derivatives: `createGraph` is refused like every unknown option.
 *
 * @returns a gradient for each input, of its shape.
 * @throws PackedRnnError ERR_NO_GRADIENT for an input that is not on the tape of the outputs; ERR_GRAPH_FREED, ERR_MODIFIED as
 * `backward`; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED; ERR_INVALID_ARGUMENT for an unknown option.
 */
export function grad(
  outputs: Float | readonly Float[],
  inputs: readonly Float[],
  options: GradOptions = {},
): (Float | null)[] {
  const op = 'grad'
  checkOptions(op, options, gradNames)
  const { gradOutputs, allowUnused = false } = options
  const all = outputs instanceof Tensor ? [outputs] : outputs
  checkList(op, 'outputs', all, 'tensors')
  checkList(op, 'inputs', inputs, 'tensors')
  if (gradOutputs !== undefined) checkList(op, 'gradOutputs', gradOutputs, 'tensors')
  for (const [i, input] of inputs.entries()) checkFloat(op, `inputs[${i}]`, input)
  all.forEach((output, i) => {
    checkFloat(op, `outputs[${i}]`, output)
    if (output.node === null) {
      const message = `grad: outputs[${i}]: nothing that it was computed from requires a gradient`
      throw new PackedRnnError('ERR_NO_GRADIENT', message)
    }
    const { shape, device } = output
    const given = gradOutputs?.[i]
    if (given !== undefined) {
      checkTensor<'float32', number>(op, `gradOutputs[${i}]`, given, { dtype: 'float32', shape, device })
    } else if (output.size !== 1) {
      throw badArgument(
        op,
        `gradOutputs[${i}]`,
        `a tensor of shape [${shape.join(', ')}]`,
        given,
        'ERR_SHAPE',
      )
    }
  })
  const places = new Map<Float, Float | null>(inputs.map(input => [input, null]))
  const refuse = (input: Float) => {
    const message = `grad: inputs[${inputs.indexOf(input)}]: no output was computed from it`
    throw new PackedRnnError('ERR_NO_GRADIENT', message)
  }
  const seeds = all.map(({ device, shape }, i) => gradOutputs?.[i] ?? filled<number>(device, shape, 1))
  const given = new Set(gradOutputs)
  try {
    backpropagate(
      all.map((output, i) => ({ node: output.node, output, gradient: seeds[i]! })),
      places,
      allowUnused ? undefined : refuse,
    )
    if (!allowUnused) for (const [input, gradient] of places) if (gradient === null) refuse(input)
  } catch (error) {
    for (const gradient of places.values()) gradient?.dispose()
    throw error
  } finally {
    for (const seed of seeds) if (!given.has(seed)) seed.dispose()
  }
  return inputs.map(input => places.get(input) ?? null)
}

/**
 * The same values without their history, as `Tensor.detach`.
 * @throws PackedRnnError ERR_DISPOSED, ERR_DTYPE, ERR_INVALID_ARGUMENT.
 */
export function detach<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  checkFloat('detach', 'x', x)
  return x.detach()
}
