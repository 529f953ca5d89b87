import { badArgument } from '../errors.js'
import { checkEntry, type StateEntry, type Tensor } from '../tensor.js'

/** A tensor that an optimiser updates; `backward()` sets its gradient. */
export type Parameter = Tensor<'float32'>

/** Parameters that share options. You may change options between steps. */
export type Group<Options> = Options & { readonly parameters: readonly Parameter[] }

/** The state that an optimiser needs to continue a run with the same bits. */
export interface OptimizerState<Options> {
  /** The options of each group, serialisable as JSON, and its number of parameters. */
  groups: { options: Omit<Group<Options>, 'parameters'>; parameters: number }[]
  /**
   * State by `<place>.<name>`, such as `0.exp_avg`: the parameter's index, counted through all groups, and PyTorch's name of
   * the state. `0.step` is the number of steps that the parameter has taken, up to 2²⁴. A parameter that never had a gradient
   * has no state.
   */
  tensors: Map<string, StateEntry>
}

/** The shape of state: its parameter's shape, or a scalar. */
export type StateKind = 'parameter' | 'scalar'
/** The state's name and shape, and the value of a scalar that a saved state may lack. Without a value it is required. */
export type Kinds<Name> = readonly (readonly [name: Name, kind: StateKind, missing?: number])[]

/** The `step` of a parameter with state, for rules that only distinguish the first step from later ones. */
export const ONCE_STEPPED = 1

/** A parameter, and the state that it has after a step. */
export interface Place<Name> {
  parameter: Parameter
  kinds: Kinds<Name>
}

export function shapeOf(parameter: Parameter, kind: StateKind): readonly number[] {
  return kind === 'parameter' ? parameter.shape : []
}

export function stateKey(place: number, name: string): string {
  return `${place}.${name}`
}

/** Returns `groups` with the saved options, and those of `before` where none were saved. Throws for other groups or options. */
export function savedGroups<Options>(
  op: string,
  groups: readonly Group<Options>[],
  saved: OptimizerState<Options>['groups'],
  before: object,
): Group<Options>[] {
  if (saved.length !== groups.length) throw badArgument(op, 'groups', `${groups.length} groups`, saved.length)
  return groups.map((group, i) => {
    const { parameters } = saved[i]!
    const options = { ...before, ...saved[i]!.options }
    if (parameters !== group.parameters.length) {
      throw badArgument(op, `groups[${i}].parameters`, String(group.parameters.length), parameters)
    }
    const [wanted, got] = [group, options].map(each =>
      Object.keys(each)
        .filter(name => name !== 'parameters')
        .sort()
        .join(', '),
    )
    if (wanted !== got) throw badArgument(op, `groups[${i}].options`, String(wanted), got)
    return { ...group, ...options }
  })
}

/**
 * Returns the saved state of each parameter that has any, by name, completed with the values that it may lack. Throws for an
 * unknown name, for incomplete state and for another shape.
 */
export function savedStates<Name extends string>(
  op: string,
  places: readonly Place<Name>[],
  tensors: ReadonlyMap<string, StateEntry>,
  implied: readonly string[],
): Map<Parameter, [string, StateEntry][]> {
  const states = new Map<Parameter, [string, StateEntry][]>()
  const known = new Set<string>()
  places.forEach(({ parameter, kinds }, place) => {
    for (const name of implied) known.add(stateKey(place, name))
    const found = kinds.flatMap(([name, kind]): [string, StateEntry][] => {
      const key = stateKey(place, name)
      const entry = tensors.get(key)
      known.add(key)
      if (entry === undefined) return []
      checkEntry(op, key, entry, shapeOf(parameter, kind))
      return [[name, entry]]
    })
    if (found.length === 0) return
    for (const [name, , value] of kinds) {
      if (tensors.has(stateKey(place, name))) continue
      if (value === undefined) throw badArgument(op, stateKey(place, name), 'a value', undefined)
      found.push([name, { shape: [], data: Float32Array.of(value) }])
    }
    states.set(parameter, found)
  })
  for (const key of tensors.keys()) {
    if (!known.has(key)) throw badArgument(op, 'tensors', "only names of this optimiser's state", key)
  }
  return states
}
