import { checkFunction, checkInstance, checkOptions, type OptionNames } from '../check.js'
import { Device, deviceOr } from '../device.js'
import { badArgument } from '../errors.js'
import { defaultGenerator, type Generator } from '../random.js'
import {
  checkEntry,
  type Float,
  type Shape,
  type StateEntry,
  sizeOf,
  type Tensor,
  tensor,
} from '../tensor.js'
import { MaskCounter } from './masks.js'
import { buffer, isMarked, type Parameter, parameter } from './parameter.js'

/** Options of `loadStateDict`. */
export interface LoadOptions {
  /** Whether the names must match the module's exactly; default true. */
  strict?: boolean
}

/** The names that only the module or only the state dict has. */
export interface LoadResult {
  /** Parameters and buffers of the module that were left unchanged. */
  missing: string[]
  /** Names in the state dict that the module does not have. */
  unexpected: string[]
}

/** Options of every module. */
export interface ModuleOptions {
  /** The device of the parameters; default `device()`. */
  device?: Device
  /** The generator of initial values and dropout masks; default the one that `manualSeed` seeds. */
  generator?: Generator
}

/** @internal */
export const moduleNames: OptionNames<ModuleOptions> = { device: true, generator: true }

/** The parts that a module itself holds, by property. */
interface Parts {
  parameters: [string, Parameter][]
  buffers: [string, Float][]
  modules: [string, Module][]
}

/**
 * The base class of all modules, as torch.nn.Module. Assigning a module, a `parameter` or a `buffer` to a property registers
 * it; the name of the property is its name in the state dict. Assigning another value replaces it. Two properties may hold the
 * same part: it is listed once, under its first name.
 *
 * Modules in a plain array or object are an error: use `ModuleList`. `#private` fields are never registered. Parameters and
 * buffers live until the module is disposed; no `scope` disposes them.
 *
 * @example
 * ```ts
 * import { nn, packIds, type PackedIds } from 'packed-rnn'
 *
 * class Net extends nn.Module {
 *   embedding = new nn.Embedding({ numEmbeddings: 10, embeddingDim: 4 })
 *   lstm = new nn.LSTM({ inputSize: 4, hiddenSize: 8 })
 *   head = new nn.Linear({ inFeatures: 8, outFeatures: 2 })
 *   forward(ids: PackedIds) {
 *     return this.head.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
 *   }
 * }
 * console.log(new Net().forward(packIds([[1, 2, 3], [4]])).shape) // [2, 2]
 * ```
 */
export abstract class Module {
  /** Whether the module is in training mode: dropout is active, and batch norm uses the batch's statistics. */
  training = true
  /** The device of the parameters. */
  protected device: Device
  /** The generator of initial values. */
  protected readonly generator: Generator

  /** @throws PackedRnnError if `device` is not a device, or none opens. Subclasses check their own options. */
  constructor(options: ModuleOptions = {}) {
    this.device = deviceOr(options.device, 'nn.Module')
    this.generator = options.generator ?? defaultGenerator()
  }

  /** Returns all parameters with their names, such as `lstm.weight_ih_l0`, frozen ones included. Shared ones are listed once. */
  namedParameters(): [string, Parameter][] {
    return once(this.#named(({ parameters }) => parameters))
  }

  /** Returns all parameters, frozen ones included. Optimisers skip parameters without a gradient. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, value]) => value)
  }

  /** Returns all buffers with their names. */
  namedBuffers(): [string, Float][] {
    return once(this.#named(({ buffers }) => buffers))
  }

  /** Returns all buffers. */
  buffers(): Float[] {
    return this.namedBuffers().map(([, value]) => value)
  }

  /** Returns the direct children with their names. */
  namedChildren(): [string, Module][] {
    return once(partsOf(this).modules)
  }

  /** Returns the direct children. */
  children(): Module[] {
    return this.namedChildren().map(([, module]) => module)
  }

  /** Returns this module, named '', and all modules below it with their names, parents before children. */
  namedModules(): [string, Module][] {
    return walk(this).map(([name, module]) => [name, module])
  }

  /** Returns this module and all modules below it. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module)
  }

  /** Returns the counters of dropout masks with their names. A resumed run sets their `step`. */
  namedMasks(): [string, MaskCounter][] {
    return walk(this).flatMap(([name, module]) =>
      Object.entries(module).flatMap(([property, value]): [string, MaskCounter][] =>
        value instanceof MaskCounter ? [[join(name, property), value]] : [],
      ),
    )
  }

  /** Calls `fn` with every module, children before parents. Returns this module. */
  apply(fn: (module: Module) => void): this {
    checkFunction('nn.Module.apply', 'fn', fn)
    const seen = new Set<Module>()
    const visit = (module: Module): void => {
      if (seen.has(module)) return
      seen.add(module)
      for (const child of module.children()) visit(child)
      fn(module)
    }
    visit(this)
    return this
  }

  /** Sets the mode of this module and all modules below it. Returns this module. */
  train(training = true): this {
    for (const module of this.modules()) module.training = training
    return this
  }

  /** Sets evaluation mode, as `train(false)`. Returns this module. */
  eval(): this {
    return this.train(false)
  }

  /** Sets `requiresGrad` of all parameters to false, so that they are not trained. Returns this module. */
  freeze(): this {
    for (const each of this.parameters()) each.requiresGrad = false
    return this
  }

  /** Sets `requiresGrad` of all parameters to true. Returns this module. */
  unfreeze(): this {
    for (const each of this.parameters()) each.requiresGrad = true
    return this
  }

  /** Disposes the gradients of all parameters and sets them to null. */
  zeroGrad(): void {
    for (const each of this.parameters()) {
      each.grad?.dispose()
      each.grad = null
    }
  }

  /**
   * Moves parameters, buffers and gradients to a device. The tensors stay the same objects. Move a module before you make its
   * optimiser, because the optimiser's state does not move. Do not change parameters before the promise resolves.
   *
   * @returns this module.
   * @throws PackedRnnError (rejects) if an op that computed a parameter failed. Nothing is moved then.
   */
  async to(device: Device): Promise<this> {
    checkInstance('nn.Module.to', 'device', device, Device)
    const tensors = [...this.parameters().flatMap(each => [each, each.grad ?? []].flat()), ...this.buffers()]
    const values = await Promise.all(tensors.map(each => each.toArray()))
    for (const [i, each] of tensors.entries()) each.move(device, values[i]!)
    for (const module of this.modules()) module.device = device
    return this
  }

  /**
   * Returns a copy of all parameters and buffers, by name, after the ops issued so far.
   * @throws PackedRnnError (rejects) if an op that computed one of them failed, or one was disposed.
   */
  async stateDict(): Promise<Map<string, StateEntry>> {
    const named = once(this.#named(stateOf))
    const values = await Promise.all(named.map(([, value]) => value.toArray()))
    return new Map(named.map(([name, { shape }], i) => [name, { shape, data: values[i]! }]))
  }

  /**
   * Sets parameters and buffers by name. Everything is checked before anything changes. A shared parameter may have any of its
   * names.
   *
   * @returns the names that are missing in `state`, and the names that the module does not have. With `strict` both are empty.
   * @throws PackedRnnError if a shape differs, or if a name is missing or unknown and `strict` is true.
   */
  loadStateDict(state: ReadonlyMap<string, StateEntry>, options: LoadOptions = {}): LoadResult {
    const op = 'loadStateDict'
    checkOptions(op, options, { strict: true })
    const { strict = true } = options
    const all = this.#named(stateOf)
    const named = new Map(all)
    const names = new Map<Float, string[]>()
    for (const [name, value] of all) names.set(value, [...(names.get(value) ?? []), name])
    const missing = [...names.values()]
      .filter(each => !each.some(name => state.has(name)))
      .map(each => each[0]!)
    const unexpected = [...state.keys()].filter(name => !named.has(name))
    if (strict && unexpected[0] !== undefined) {
      throw badArgument(op, unexpected[0], `one of ${[...named.keys()].join(', ')}`, unexpected[0])
    }
    if (strict && missing[0] !== undefined) throw badArgument(op, missing[0], 'a value', undefined)
    const found = [...names].flatMap(([value, each]) => {
      const name = each.find(one => state.has(one))
      const entry = name === undefined ? undefined : state.get(name)
      return name === undefined || entry === undefined ? [] : [{ name, value, entry }]
    })
    for (const { name, value, entry } of found) checkEntry(op, name, entry, value.shape)
    for (const { value, entry } of found) value.assign(entry.data)
    return { missing, unexpected }
  }

  /**
   * Registers a parameter under a name that is computed at run time.
   * @returns the tensor.
   * @throws PackedRnnError if the name is taken or contains a dot.
   */
  registerParameter<T extends Float>(name: string, value: T): T {
    return this.#register('registerParameter', name, parameter(value))
  }

  /**
   * Registers a buffer under a name that is computed at run time.
   * @returns the tensor.
   * @throws PackedRnnError if the name is taken or contains a dot.
   */
  registerBuffer<T extends Float>(name: string, value: T): T {
    return this.#register('registerBuffer', name, buffer(value))
  }

  /**
   * Registers a module under a name that is computed at run time.
   * @returns the module.
   * @throws PackedRnnError if the name is taken or contains a dot.
   */
  registerModule<M extends Module>(name: string, module: M): M {
    checkInstance('nn.Module.registerModule', 'module', module, Module)
    return this.#register('registerModule', name, module)
  }

  /** Registers a parameter. @deprecated since 0.2: assign `nn.parameter(tensor(…))` to a property. */
  protected parameter<R extends number>(
    name: string,
    shape: Shape<R>,
    values: Float32Array,
  ): Tensor<'float32', R> {
    return this.registerParameter(name, tensor<R>(values, shape, { device: this.device }))
  }

  /** Registers a parameter with initial values from U(−bound, bound). */
  protected uniform<R extends number>(name: string, shape: Shape<R>, bound: number): Tensor<'float32', R> {
    const values = Float32Array.from({ length: sizeOf(shape) }, () => this.generator.uniform(-bound, bound))
    return this.registerParameter(name, tensor<R>(values, shape, { device: this.device }))
  }

  /** Registers a module. @deprecated since 0.2: assign the module to a property. */
  protected child<M extends Module>(name: string, module: M): M {
    return this.registerModule(name, module)
  }

  /** Releases the device memory of all parameters, buffers and gradients. */
  dispose(): void {
    for (const each of [...this.parameters(), ...this.buffers()]) {
      each.grad?.dispose()
      each.dispose()
    }
  }

  /** Calls `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Returns parts of all modules with their full names. A shared part is listed under each of its names. */
  #named<T>(select: (parts: Parts) => [string, T][]): [string, T][] {
    return walk(this).flatMap(([path, , parts]) =>
      select(parts).map(([name, value]): [string, T] => [join(path, name), value]),
    )
  }

  #register<T>(op: string, name: string, value: T): T {
    const free = typeof name === 'string' && /^[^.]+$/.test(name)
    const held: unknown = free ? Reflect.get(this, name) : null
    if (held !== undefined && held !== value) {
      throw badArgument(`nn.Module.${op}`, 'name', 'a free name without a dot', name)
    }
    Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true })
    return value
  }
}

function stateOf({ parameters, buffers }: Parts): [string, Float][] {
  return [...parameters, ...buffers]
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** Removes repeated parts; the first name stays. */
function once<T>(named: [string, T][]): [string, T][] {
  const seen = new Set<T>()
  return named.filter(([, value]) => !seen.has(value) && seen.add(value))
}

/** Returns a module and all modules below it, each once, parents before children. */
function walk(root: Module): [string, Module, Parts][] {
  const found: [string, Module, Parts][] = []
  const seen = new Set<Module>()
  const visit = (path: string, module: Module): void => {
    if (seen.has(module)) return
    seen.add(module)
    const parts = partsOf(module)
    found.push([path, module, parts])
    for (const [name, child] of parts.modules) visit(join(path, name), child)
  }
  visit('', root)
  return found
}

function partsOf(module: Module): Parts {
  const parts: Parts = { parameters: [], buffers: [], modules: [] }
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== 'object' || value === null) continue
    if (value instanceof Module) parts.modules.push([name, value])
    else if (isMarked(value, 'parameter')) parts.parameters.push([name, value])
    else if (isMarked(value, 'buffer')) parts.buffers.push([name, value])
    else checkPlain(module, name, value, new Set())
  }
  return parts
}

/** @throws PackedRnnError if a plain array or object contains a part that only a property registers. */
function checkPlain(module: Module, name: string, value: object, seen: Set<object>): void {
  if (!isPlain(value) || seen.has(value)) return
  seen.add(value)
  // Ids, words or flags, which may be many.
  if (Array.isArray(value) && ['number', 'string', 'boolean'].includes(typeof value[0])) return
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof part !== 'object' || part === null) continue
    if (part instanceof Module || isMarked(part, 'parameter') || isMarked(part, 'buffer')) {
      const wanted = part instanceof Module ? 'nn.ModuleList' : 'a property for each parameter'
      const got = `${part instanceof Module ? 'a module' : 'a parameter'} in ${Array.isArray(value) ? 'an array' : 'an object'}`
      throw badArgument(module.constructor.name, name, wanted, got)
    }
    checkPlain(module, name, part, seen)
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}
