import { checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { clipValue } from '../ops/clip.js'
import { outlive } from '../scope.js'
import { type StateEntry, Tensor, tensor, unset } from '../tensor.js'
import {
  type Group,
  type Kinds,
  type OptimizerState,
  type Parameter,
  type Place,
  type StateKind,
  savedGroups,
  savedStates,
  shapeOf,
  stateKey,
} from './state.js'

/** Parameters with their own options. Options that are not given have the optimiser's defaults. */
export type ParameterGroup<Options> = Partial<Options> & { readonly parameters: readonly Parameter[] }

/** The parameters of an optimiser, or groups of them. Each parameter may occur only once. */
export type Grouped<Options> = readonly Parameter[] | readonly ParameterGroup<Options>[]

/** The parameters of a group that have a gradient, as arguments of one step. */
export interface Slots<Options, Name> {
  options: Group<Options>
  parameters: Parameter[]
  gradients: Parameter[]
  /** The state of each parameter; empty if the options need no state of this name. */
  state(name: Name): Parameter[]
}

/**
 * The base class of optimisers. It holds groups of parameters on one device and their state; `step` updates the parameters that
 * have a gradient.
 *
 * @example
 * ```ts
 * import { nn, optim } from 'packed-rnn'
 *
 * const { weight, bias } = new nn.Linear({ inFeatures: 2, outFeatures: 1 })
 * const groups = [{ parameters: [weight] }, { parameters: [bias!], lr: 0.01 }]
 * const optimizer: optim.Optimizer<optim.SgdOptions, optim.SgdStateName> = new optim.SGD(groups, { lr: 0.1 })
 * console.log(optimizer.groups.map(({ lr }) => lr)) // [0.1, 0.01]
 * ```
 */
export abstract class Optimizer<Options extends { lr: number }, Name extends string> {
  /** The groups. You may change options between steps, as a `Scheduler` changes `lr`. */
  readonly groups: readonly Group<Options>[]
  readonly #op: string
  /** The option names of a group, including `parameters`. */
  readonly #names: OptionNames<object>
  readonly #states = new Map<Parameter, Map<string, Parameter>>()

  /** @param names of all options; the caller has checked the names in `defaults`. @internal */
  constructor(op: string, given: Grouped<Options>, defaults: Options, names: OptionNames<Options>) {
    this.#op = op
    this.#names = { ...names, parameters: true }
    this.groups = areParameters(given)
      ? [{ ...defaults, parameters: given }]
      : given.map(group => ({ ...defaults, ...group }))
    const seen = new Set<Parameter>()
    this.groups.forEach((group, i) => {
      const { parameters } = group
      const name = `${this.#at(i)}parameters`
      // Before the check of `parameters`, which may be misspelled. A parameter in a group's place is reported below.
      if (!(given[i] instanceof Tensor)) this.#checkNames(group, i)
      if (!Array.isArray(parameters)) throw badArgument(op, name, 'an array of parameters', parameters)
      for (const [j, parameter] of parameters.entries()) {
        const [first] = seen
        const wanted = { dtype: 'float32', ...(first && { device: first.device }) } as const
        checkTensor(op, `${name}[${j}]`, parameter, wanted)
        if (seen.has(parameter)) throw badArgument(op, `${name}[${j}]`, 'distinct parameters', 'a duplicate')
        seen.add(parameter)
      }
    })
    if (seen.size === 0) throw badArgument(op, 'parameters', 'at least one parameter', given)
    this.#checkOptions()
  }

  /** Throws ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid option; `at` precedes its name. @internal */
  protected abstract check(op: string, at: string, options: Options): void
  /** The state that a step with these options needs. @internal */
  protected abstract kinds(options: Options): Kinds<Name>
  /** Values of options that a state may lack because an older version saved it. @internal */
  protected before(): object {
    return { maximize: false }
  }
  /** Names in PyTorch's state that follow from the other state and are ignored. @internal */
  protected implied(): readonly string[] {
    return []
  }
  /** Issues one op that steps all slots. @internal */
  protected abstract apply(slots: readonly Slots<Options, Name>[]): void

  /**
   * Updates the parameters that have a gradient. The others, and their state, do not change. The step is all or nothing: if a
   * gradient failed, no parameter changes and the step does not count.
   *
   * @throws PackedRnnError ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option; ERR_SHAPE, ERR_DTYPE,
   * ERR_DEVICE or ERR_DISPOSED for an invalid `grad`.
   */
  step(): void {
    this.#checkOptions()
    const slots = this.groups.flatMap(options => {
      const parameters = options.parameters.filter(parameter => parameter.grad !== null)
      if (parameters.length === 0) return []
      const gradients = parameters.flatMap(parameter => parameter.grad ?? [])
      const kinds = this.kinds(options)
      const state = (wanted: Name) => {
        const kind = kinds.find(([name]) => name === wanted)?.[1]
        return kind === undefined ? [] : parameters.map(parameter => this.#state(parameter, wanted, kind))
      }
      return [{ options, parameters, gradients, state }]
    })
    if (slots.length > 0) this.apply(slots)
  }

  /** Disposes all gradients and sets them to null. `step` skips parameters without a gradient. */
  zeroGrad(): void {
    for (const parameter of this.#parameters()) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  }

  /**
   * Returns a copy of the options and the state after the steps issued so far.
   * @throws PackedRnnError (rejects) the error of an op that computed the state.
   */
  async stateDict(): Promise<OptimizerState<Options>> {
    const groups = this.groups.map(({ parameters, ...options }) => {
      return { options: structuredClone(options), parameters: parameters.length }
    })
    const state = this.#places(this.groups).flatMap(({ parameter, kinds }, place) => {
      if (!this.#states.has(parameter)) return []
      return kinds.map(([name, kind]) => ({
        key: stateKey(place, name),
        value: this.#state(parameter, name, kind),
      }))
    })
    // State whose first step failed has no memory yet. An in-place op fills it with zeros.
    const values = state.map(({ value }) => value)
    if (values.length > 0) clipValue(values, Infinity)
    const arrays = await Promise.all(values.map(value => value.toArray()))
    const tensors = new Map<string, StateEntry>()
    for (const [i, { key, value }] of state.entries())
      tensors.set(key, { shape: value.shape, data: arrays[i]! })
    return { groups, tensors }
  }

  /**
   * Loads options and state that `stateDict` returned for an optimiser of the same class over parameters of the same shapes,
   * or the state of a PyTorch optimiser. `step` may be missing for `SGD`, `RMSprop`, and `Adagrad` without `lrDecay`, which do
   * not need the number; it is then 1. Options that did not exist when the state was saved are off. Everything is checked
   * before anything changes.
   *
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for other groups, options or names, or for missing state, naming it; ERR_SHAPE
   * for another shape; ERR_OUT_OF_RANGE for an invalid option.
   */
  loadStateDict(state: OptimizerState<Options>): void {
    const op = `${this.#op}.loadStateDict`
    const groups = savedGroups(op, this.groups, state.groups, this.before())
    this.#checkOptions(groups)
    const states = savedStates(op, this.#places(groups), state.tensors, this.implied())
    this.#clear()
    this.groups.forEach((group, i) => {
      Object.assign(group, groups[i])
    })
    for (const [parameter, entries] of states) {
      const { device } = parameter
      const made = new Map<string, Parameter>()
      for (const [name, { shape, data }] of entries) {
        made.set(name, outlive(tensor<number>(data, shape, { device })))
      }
      this.#states.set(parameter, made)
    }
  }

  /** Frees the state. The caller owns the parameters; a later step starts with new state. */
  dispose(): void {
    this.#clear()
  }

  /** Calls `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Returns a parameter's state, or null if it has none of this name. The optimiser owns and updates it. @internal */
  protected stateOf(parameter: Parameter, name: Name): Parameter | null {
    return this.#states.get(parameter)?.get(name) ?? null
  }

  /** Returns a parameter's state. New state has no memory yet: the first step allocates it as zeros. It outlives every scope. */
  #state(parameter: Parameter, name: Name, kind: StateKind): Parameter {
    const states = this.#states.get(parameter) ?? new Map<string, Parameter>()
    this.#states.set(parameter, states)
    const state = states.get(name) ?? outlive(unset(parameter.device, shapeOf(parameter, kind)))
    states.set(name, state)
    return state
  }

  #clear(): void {
    for (const states of this.#states.values()) {
      for (const state of states.values()) state.dispose()
    }
    this.#states.clear()
  }

  #parameters(): Parameter[] {
    return this.groups.flatMap(({ parameters }) => parameters)
  }

  #places(groups: readonly Group<Options>[]): Place<Name>[] {
    return groups.flatMap(group => {
      const kinds = this.kinds(group)
      return group.parameters.map(parameter => ({ parameter, kinds }))
    })
  }

  /** The prefix of an option's name in a message. */
  #at(group: number): string {
    return this.groups.length === 1 ? '' : `groups[${group}].`
  }

  #checkNames(group: object, i: number): void {
    checkOptions(this.#op, group, this.#names, `groups[${i}]`)
  }

  #checkOptions(groups = this.groups): void {
    groups.forEach((group, i) => {
      this.#checkNames(group, i)
      this.check(this.#op, this.#at(i), group)
    })
  }
}

function areParameters<Options>(given: Grouped<Options>): given is readonly Parameter[] {
  return Array.isArray(given) && given.every(each => each instanceof Tensor)
}
