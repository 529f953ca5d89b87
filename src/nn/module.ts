import { checkOptions, type OptionNames } from '../check.js'
import { type Device, deviceOr } from '../device.js'
import { badArgument } from '../errors.js'
import { defaultGenerator, type Generator } from '../random.js'
import { outlive } from '../scope.js'
import { checkEntry, type Shape, type StateEntry, sizeOf, type Tensor, tensor } from '../tensor.js'

/** What is trained: a tensor of a module that `backward()` leaves gradients in. */
export type Parameter = Tensor<'float32'>

/** How a state dict is read. */
export interface LoadOptions {
  /** Whether the names must be exactly the module's; default true. */
  strict?: boolean
}

/** Which names a module and a state dict did not share. */
export interface LoadResult {
  /** The module's parameters that were left as they are. */
  missing: string[]
  /** Names of the state that the module does not have. */
  unexpected: string[]
}

/** What every module is given. */
export interface ModuleOptions {
  /** Where the parameters live; default `device()`. */
  device?: Device
  /** Where initial values and dropout's seed come from; default the one that `manualSeed` seeds. */
  generator?: Generator
}

/** What every module's own names go beside. @internal */
export const moduleNames: OptionNames<ModuleOptions> = { device: true, generator: true }

/**
 * Named parameters, and whether they are being trained, as torch.nn.Module. Parameters escape every scope: they live until
 * the module is disposed. A model of your own extends it, makes its parts with `child`, and has a `forward`.
 *
 * @example
 * ```ts
 * import { nn, type PackedIds, packSequence } from 'packed-rnn'
 *
 * class Model extends nn.Module {
 *   readonly embedding = this.child('embedding', new nn.Embedding({ numEmbeddings: 9, embeddingDim: 4 }))
 *   readonly lstm = this.child('lstm', new nn.LSTM({ inputSize: 4, hiddenSize: 3 }))
 *   readonly forward = (ids: PackedIds) => this.lstm.forward(this.embedding.forward(ids)).lastHidden()
 * }
 * const model = new Model({})
 * console.log(model.forward(packSequence([[1, 2], [3]])).shape, model.parameters().length) // [2, 3] 5
 * console.log(model.namedParameters()[1]?.[0]) // lstm.weight_ih_l0
 * ```
 */
export abstract class Module {
  /** Whether dropout is active. */
  training = true
  /** Where the parameters live. */
  protected readonly device: Device
  /** Where initial values come from. */
  protected readonly generator: Generator
  readonly #parameters = new Map<string, Parameter>()
  readonly #children = new Map<string, Module>()

  /**
   * @param options a module's own are let through: whoever extends this class checks them.
   * @throws PackedRnnError as `device` where none is given; ERR_DEVICE for what is none.
   */
  constructor(options: ModuleOptions) {
    this.device = deviceOr(options.device, 'nn.Module')
    this.generator = options.generator ?? defaultGenerator()
  }

  /**
   * A parameter of these values, row-major.
   * @throws PackedRnnError ERR_SHAPE where they are not as many as the shape says.
   */
  protected parameter<R extends number>(
    name: string,
    shape: Shape<R>,
    values: Float32Array,
  ): Tensor<'float32', R> {
    const made = outlive(tensor<R>(values, shape, { device: this.device, requiresGrad: true }))
    this.#parameters.set(name, made)
    return made
  }

  /** A parameter of values uniform on [-bound, bound). */
  protected uniform<R extends number>(name: string, shape: Shape<R>, bound: number): Tensor<'float32', R> {
    const values = Float32Array.from({ length: sizeOf(shape) }, () => this.generator.uniform(-bound, bound))
    return this.parameter(name, shape, values)
  }

  /** A part of this module, whose parameters are its own under `name`. */
  protected child<M extends Module>(name: string, module: M): M {
    this.#children.set(name, module)
    return module
  }

  /** Names as in PyTorch's state dicts, a child's behind its own: `lstm.weight_ih_l0`. */
  namedParameters(): [string, Parameter][] {
    const named = [...this.#parameters]
    for (const [name, module] of this.#children) {
      for (const [inner, value] of module.namedParameters()) named.push([`${name}.${inner}`, value])
    }
    return named
  }

  /** All parameters that require a gradient. */
  parameters(): Parameter[] {
    return this.namedParameters().flatMap(([, value]) => (value.requiresGrad ? [value] : []))
  }

  /** Sets the mode of this module and its parts; returns the module. */
  train(training = true): this {
    this.training = training
    for (const module of this.#children.values()) module.train(training)
    return this
  }

  /** The mode without dropout, as `train(false)`. */
  eval(): this {
    return this.train(false)
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const [, parameter] of this.namedParameters()) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  }

  /**
   * Copies of all parameters, by name, as they are after all that was issued so far.
   * @throws PackedRnnError (rejects) ERR_DISPOSED, or with the failure of an op that computed a parameter.
   */
  async stateDict(): Promise<Map<string, StateEntry>> {
    const named = this.namedParameters()
    const values = await Promise.all(named.map(([, value]) => value.toArray()))
    return new Map(named.map(([name, { shape }], i) => [name, { shape, data: values[i]! }]))
  }

  /**
   * Sets parameters by name. All or none: everything is checked before anything changes.
   *
   * @returns the names that `state` lacked, and those that it had beside; none where `strict`.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT where `strict` for a name too few or too many, or for an unknown
   * option; ERR_SHAPE for another shape.
   */
  loadStateDict(state: ReadonlyMap<string, StateEntry>, options: LoadOptions = {}): LoadResult {
    const op = 'loadStateDict'
    checkOptions(op, options, { strict: true })
    const { strict = true } = options
    const named = new Map(this.namedParameters())
    const missing = [...named.keys()].filter(name => !state.has(name))
    const unexpected = [...state.keys()].filter(name => !named.has(name))
    if (strict && unexpected[0] !== undefined) {
      throw badArgument(op, unexpected[0], `one of ${[...named.keys()].join(', ')}`, unexpected[0])
    }
    if (strict && missing[0] !== undefined) throw badArgument(op, missing[0], 'a value', undefined)
    const found = [...named].flatMap(([name, value]) => {
      const entry = state.get(name)
      return entry === undefined ? [] : [{ name, value, entry }]
    })
    for (const { name, value, entry } of found) checkEntry(op, name, entry, value.shape)
    for (const { value, entry } of found) value.assign(entry.data)
    return { missing, unexpected }
  }

  /** Lets go of parameters and gradients, and of the parts'. */
  dispose(): void {
    for (const value of this.#parameters.values()) {
      value.grad?.dispose()
      value.dispose()
    }
    for (const module of this.#children.values()) module.dispose()
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}
