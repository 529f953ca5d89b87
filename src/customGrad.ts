import { backpropagate, type Gradients, isRecorded, noGrad, record } from './autograd.js'
import { checkFloat, checkFunction, checkList, checkOptions, checkTensor, type OptionNames } from './check.js'
import { badArgument, PackedRnnError } from './errors.js'
import { outlive, scope } from './scope.js'
import { type Float, filled, Tensor } from './tensor.js'

/** Functions with a gradient written by hand, and gradients on request. */

/** The result of a forward function: one output or several, and what its backward function needs. */
export interface CustomResult<Output, Saved> {
  output: Output
  saved: Saved
}

/**
 * Returns a function on the tape whose gradient is written by hand, as torch.autograd.Function.
 *
 * @param forward computes the outputs from the inputs. It runs without a tape. Tensors and other things with
 * `dispose` in `saved`, also inside arrays and objects, are kept until the backward pass has run.
 * @param backward returns a gradient for each input, of its shape, or null. It takes `saved` and the
 * gradients of the outputs, null where there is none. It runs once and without a tape.
 * @returns the function of the inputs; it returns `output`.
 * @throws what `forward` throws, from the returned function. `backward()` throws if a gradient doesn't fit
 * its input.
 * @example
 * ```ts
 * import { customGrad, mul, type Tensor, tensor } from 'packed-rnn'
 *
 * const square = customGrad(
 *   (x: Tensor<'float32'>) => ({ output: mul(x, x), saved: x }),
 *   (x, [dY]) => [dY ? mul(mul(x, 2), dY) : null],
 * )
 * const x = tensor([3], [1], { requiresGrad: true })
 * const y = square(x)
 * y.backward()
 * console.log(await y.item(), await x.grad?.item()) // 9 6
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
    // If a check throws, the scope disposes the outputs.
    const result = scope(() => {
      const made = noGrad(() => forward(...inputs))
      checkOutputs(made, inputs)
      return made
    })
    const outputs = listed<Float>(result.output)
    const kept = new Set<Disposable>()
    if (!isRecorded(inputs)) {
      // Without a tape there is no backward pass that needs it.
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
            checkTensor(op, `backward: gradients[${i}]`, gradient, shapes[i]!)
          })
          return made
        })
        return found.map((gradient: Float | null, i) => {
          if (gradient == null) return null
          // A gradient that was passed in, or is returned twice, needs its own handle.
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

/** Checks the result of `forward`: JavaScript may return anything. */
function checkOutputs(made: unknown, inputs: readonly Float[]): void {
  const op = 'customGrad'
  if (typeof made !== 'object' || made === null || !('output' in made)) {
    throw badArgument(op, 'forward', 'an object with output and saved', made)
  }
  const { output } = made
  if (!(output instanceof Tensor) && !Array.isArray(output)) {
    throw badArgument(op, 'output', 'a tensor or an array of tensors', output)
  }
  listed(output).forEach((each: Float, i) => {
    checkFloat(op, `output[${i}]`, each)
    const own = !inputs.includes(each) && !each.requiresGrad && each.node === null
    if (!own) throw badArgument(op, `output[${i}]`, 'a new tensor', 'an input, or a tensor on the tape')
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

/** Returns the same structure of arrays and objects, with everything that has `dispose` replaced. */
function replaced<T>(value: T, exchange: (thing: Disposable) => Disposable): T
function replaced(value: unknown, exchange: (thing: Disposable) => Disposable): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isDisposable(value)) return exchange(value)
  if (!isPlain(value)) return value
  if (Array.isArray(value)) return value.map(part => replaced(part, exchange))
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part, exchange)]))
}

/** Options of `grad`. */
export interface GradOptions {
  /**
   * The gradients of the outputs. Required for an output with several elements; the default for one element
   * is 1.
   */
  gradOutputs?: readonly Float[]
  /**
   * Whether the gradient is null, rather than an error, of an input that requires none or that no output was
   * computed from; default false.
   */
  allowUnused?: boolean
}
const gradNames: OptionNames<GradOptions> = { gradOutputs: true, allowUnused: true }

/**
 * Returns the gradients of outputs with respect to inputs, as torch.autograd.grad. `grad` of the tensors
 * doesn't change; the tape is freed. Second derivatives are not supported: there is no option `createGraph`.
 *
 * @returns a gradient for each input, of its shape.
 * @throws PackedRnnError ERR_NO_GRADIENT if no output was computed from an input, or an input requires no gradient,
 * unless `allowUnused` is true.
 * @example
 * ```ts
 * import { grad, mul, tensor } from 'packed-rnn'
 *
 * const a = tensor([3], [1], { requiresGrad: true })
 * const b = tensor([5], [1], { requiresGrad: true })
 * const [dA, dB] = grad(mul(mul(a, a), b), [a, b])
 * console.log(await dA?.item(), await dB?.item(), a.grad) // 30 9 null
 * ```
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
  for (const [i, input] of inputs.entries()) {
    checkFloat(op, `inputs[${i}]`, input)
    if (allowUnused || input.requiresGrad || input.node !== null) continue
    throw new PackedRnnError('ERR_NO_GRADIENT', `grad: inputs[${i}]: requires no gradient`)
  }
  all.forEach((output, i) => {
    checkFloat(op, `outputs[${i}]`, output)
    if (output.node === null) {
      const message = `grad: outputs[${i}]: not computed from any tensor that requires a gradient`
      throw new PackedRnnError('ERR_NO_GRADIENT', message)
    }
    const { shape, device } = output
    const given = gradOutputs?.[i]
    if (given !== undefined) {
      checkTensor(op, `gradOutputs[${i}]`, given, { dtype: 'float32', shape, device })
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
 * Returns the same values without their history, as `Tensor.detach`: gradients stop here.
 * @example
 * ```ts
 * import { detach, mul, sum, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3], [3], { requiresGrad: true })
 * sum(mul(x, detach(x))).backward()
 * console.log(await x.grad?.toArray()) // Float32Array(3) [1, 2, 3]
 * ```
 */
export function detach<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  checkFloat('detach', 'x', x)
  return x.detach()
}
